# Libraries that eddy stands on. All come from the distribution (scripts/deps); what is found, and
# what was left out for want of it, is said here and nowhere else.

find_package(PkgConfig)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

if(NOT PkgConfig_FOUND)
  message(FATAL_ERROR "pkg-config is missing: run scripts/deps")
endif()

pkg_check_modules(URING QUIET IMPORTED_TARGET liburing>=2.3)
pkg_check_modules(CARES QUIET IMPORTED_TARGET libcares)
pkg_check_modules(OPENSSL QUIET IMPORTED_TARGET openssl>=3.0)
# Nobody needs it on Linux; where it stands, the kqueue poller is built over it and tested.
pkg_check_modules(KQUEUE QUIET IMPORTED_TARGET libkqueue)
pkg_check_modules(CMOCKA QUIET IMPORTED_TARGET cmocka)
pkg_check_modules(EDIT QUIET IMPORTED_TARGET libedit)
if(NOT EDIT_FOUND)
  message(STATUS "line: libeddy-line is left out, libedit was not found")
endif()

if(URING_FOUND)
  message(STATUS "uring: liburing ${URING_VERSION}")
else()
  message(STATUS "uring: left out, liburing >= 2.3 was not found")
endif()

# The stacks of tasks, for dumps and reports of stalls.
pkg_check_modules(UNWIND QUIET libunwind>=1.6)
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|aarch64|arm64)$")
  message(STATUS "unwind: dumps of tasks will have no stacks: not written for ${CMAKE_SYSTEM_PROCESSOR} yet")
  set(UNWIND_FOUND FALSE)
elseif(UNWIND_FOUND)
  # Not linked but loaded when a stack is asked for (loop/backtrace.c says why): by the name that its
  # ABI has, which is what the file for linking points to.
  find_library(EDDY_UNWIND_FILE unwind HINTS ${UNWIND_LIBDIR} REQUIRED)
  file(REAL_PATH ${EDDY_UNWIND_FILE} file)
  string(REGEX MATCH "libunwind\\.so\\.[0-9]+" EDDY_UNWIND_LIBRARY ${file})
  message(STATUS "unwind: ${EDDY_UNWIND_LIBRARY} of libunwind ${UNWIND_VERSION}")
else()
  message(STATUS "unwind: libunwind >= 1.6 was not found; dumps of tasks will have no stacks")
endif()

include(CheckIncludeFile)
check_include_file(valgrind/valgrind.h EDDY_HAVE_VALGRIND)

# llhttp: the system's library where it is new enough, else the C source that Debian ships with
# node-llhttp, compiled into our own library. Either is only the tokenizer: codec/http1_rules.c judges.
pkg_check_modules(LLHTTP QUIET IMPORTED_TARGET libllhttp>=9.2)
find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp /usr/share/nodejs/llhttp/src NO_DEFAULT_PATH)
find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS /usr/share/include/llhttp /usr/share/llhttp NO_DEFAULT_PATH)

add_library(eddy_llhttp INTERFACE)
if(LLHTTP_FOUND)
  message(STATUS "llhttp: the system's library, ${LLHTTP_VERSION}")
  target_link_libraries(eddy_llhttp INTERFACE PkgConfig::LLHTTP)
  set(EDDY_HAVE_LLHTTP ON)
elseif(LLHTTP_SOURCE_DIR AND LLHTTP_INCLUDE_DIR)
  file(STRINGS ${LLHTTP_INCLUDE_DIR}/llhttp.h version REGEX "^#define LLHTTP_VERSION_(MAJOR|MINOR|PATCH) ")
  list(TRANSFORM version REPLACE ".* ([0-9]+)$" "\\1")
  list(JOIN version . version)
  message(STATUS "llhttp: source of ${version} in ${LLHTTP_SOURCE_DIR}, strict, compiled in")
  add_library(llhttp OBJECT EXCLUDE_FROM_ALL
              ${LLHTTP_SOURCE_DIR}/llhttp.c ${LLHTTP_SOURCE_DIR}/api.c ${LLHTTP_SOURCE_DIR}/http.c)
  target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
  target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
  # Generated code, not ours to tidy; its state machine gains from -O3.
  target_compile_options(llhttp PRIVATE -w -O3)
  set_target_properties(llhttp PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
  target_compile_definitions(eddy_llhttp INTERFACE LLHTTP_STRICT_MODE=1)
  target_include_directories(eddy_llhttp SYSTEM INTERFACE ${LLHTTP_INCLUDE_DIR})
  set(EDDY_HAVE_LLHTTP ON)
else()
  message(STATUS "llhttp: not found; codec/http and http cannot be built (run scripts/deps)")
  set(EDDY_HAVE_LLHTTP OFF)
endif()
