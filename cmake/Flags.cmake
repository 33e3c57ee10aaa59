# Flags that every room, program and test is compiled with, and why.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)

# No NDEBUG: assertions are on in every build, the measured one too.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_MINSIZEREL "-Os -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g3 -fno-omit-frame-pointer")

# The build tree is laid out as an installed one is, so `eddy run` finds headers and libraries at the
# same place relative to itself in both.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${CMAKE_INSTALL_BINDIR})
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${CMAKE_INSTALL_LIBDIR})
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${CMAKE_INSTALL_LIBDIR})
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR})
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include SYMBOLIC)

file(RELATIVE_PATH EDDY_LIB_FROM_BIN
     ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH EDDY_INCLUDE_FROM_BIN
     ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN/${EDDY_LIB_FROM_BIN}")

add_compile_definitions(_GNU_SOURCE)

add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wundef -Wformat=2 -Wpointer-arith
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
  $<$<COMPILE_LANGUAGE:C>:-Wold-style-definition>)
if(EDDY_WERROR)
  add_compile_options(-Werror)
endif()

# A task's stack ends in guard pages; probing each page of a large frame keeps any function from
# stepping over them. Everything is built so, or the guard protects nothing.
add_compile_options(-fstack-clash-protection)

# Calls within a library go straight to their target, and those between libraries through the table
# that relro makes read-only at start.
add_compile_options(-fno-semantic-interposition -fno-plt)

# Thread-locals without a call: these libraries are loaded with the program, not later.
add_compile_options(-ftls-model=initial-exec)

# We switch stacks by hand. Marked for shadow stacks (SHSTK), a program is killed at the first switch
# on a kernel and libc that honour the mark; so no object may claim it. Branch tracking alone is not
# enforced for user space on Linux, so nothing is lost by claiming neither. AArch64's guarded control
# stack (GCS) is the same thing, which newer compilers count as "standard" protection; signed return
# addresses and branch tracking the switch can live with there, and they are enforced.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|i.86)$")
  add_compile_options(-fcf-protection=none)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  add_compile_options(-mbranch-protection=pac-ret+bti)
endif()

# GCC clears and copies structs of a few hundred bytes with `rep stos` and `rep movs`, whose start alone
# costs more than all the stores: 15 ns each, several times in a request. A loop of vector stores is
# what Clang does by itself.
include(CheckCCompilerFlag)
set(EDDY_BLOCK_MOVES "vector_loop:512:noalign,libcall:-1:noalign")
check_c_compiler_flag("-mmemset-strategy=${EDDY_BLOCK_MOVES}" EDDY_HAVE_MEMSET_STRATEGY)
if(EDDY_HAVE_MEMSET_STRATEGY)
  add_compile_options("-mmemset-strategy=${EDDY_BLOCK_MOVES}" "-mmemcpy-strategy=${EDDY_BLOCK_MOVES}")
endif()

# The shared libraries are optimised as a whole: 6 % fewer instructions a request. The objects also
# hold ordinary code, so that archives, and the tests that link them, need no second compilation.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT EDDY_SANITIZE)
  set(EDDY_WHOLE_PROGRAM ON)
  add_compile_options($<$<COMPILE_LANGUAGE:C>:-flto> $<$<COMPILE_LANGUAGE:C>:-ffat-lto-objects>)
  add_link_options($<IF:$<STREQUAL:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY>,-flto=auto,-fno-lto>)
endif()

if(NOT APPLE)
  add_link_options(-Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
endif()

if(EDDY_SANITIZE STREQUAL "address")
  set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(CMAKE_C_COMPILER_ID MATCHES "Clang")
    # What the fuzzers steer by. The other programs of this build carry it along, unused.
    add_compile_options(-fsanitize-coverage=inline-8bit-counters,pc-table,trace-cmp)
  endif()
elseif(EDDY_SANITIZE STREQUAL "thread")
  set(sanitize -fsanitize=thread -fno-omit-frame-pointer)
elseif(EDDY_SANITIZE)
  message(FATAL_ERROR "EDDY_SANITIZE is address or thread, not '${EDDY_SANITIZE}'")
elseif(NOT APPLE)
  # Sanitized libraries leave the runtime's symbols to the program, so only plain ones can promise this.
  add_link_options($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY>:-Wl,-z,defs>)
endif()
if(EDDY_SANITIZE)
  add_compile_options(${sanitize})
  add_link_options(${sanitize})
endif()
