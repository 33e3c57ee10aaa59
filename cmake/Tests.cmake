# Tests are found, not listed. tests/<room>/<module>_test.c is one program; its own comments say how
# it is to be registered:
#
#   backends: select poll epoll uring sim   once for each named backend, EDDY_BACKEND set,
#                                            as <room>/<module>@<backend>
#   threads: yes     label threads: also run under TSan
#   seeds: yes       label seeds: run with EDDY_SEEDS seeds
#   faults: yes      label faults: run with EDDY_FAULTS=all
#   timeout: 120     seconds, instead of 60
#   alone: yes       nothing else runs beside it (it measures time)
#
# Other .c files in tests/<room>/ and all of tests/support/ are archives that every test may draw on.

include(CTest)
if(NOT BUILD_TESTING)
  return()
endif()

set(scratch ${PROJECT_BINARY_DIR}/scratch)

# eddy_script_test(<name> <command>...): a test that is a script; 77 means it was left out, and said why
function(eddy_script_test name)
  string(REPLACE "/" "_" folder ${name})
  file(MAKE_DIRECTORY ${scratch}/${folder})
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${scratch}/${folder})
  set_tests_properties(${name} PROPERTIES TIMEOUT 60 SKIP_RETURN_CODE 77 LABELS scaffold)
endfunction()

# Where the machine that is built for has no cmocka: the few parts of it that check.c calls.
option(EDDY_CHECK_PLAIN "Run the tests without cmocka (a cross build has none)" OFF)
add_library(eddy_cmocka INTERFACE)
if(EDDY_CHECK_PLAIN)
  target_include_directories(eddy_cmocka INTERFACE ${PROJECT_SOURCE_DIR}/tests/plain)
elseif(CMOCKA_FOUND)
  target_link_libraries(eddy_cmocka INTERFACE PkgConfig::CMOCKA)
endif()

if((CMOCKA_FOUND OR EDDY_CHECK_PLAIN) AND EDDY_LIBRARIES)
  add_library(eddy_check OBJECT ${PROJECT_SOURCE_DIR}/tests/check.c)
  target_include_directories(eddy_check PUBLIC ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(eddy_check PUBLIC eddy_cmocka)

  file(GLOB support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.c)
  if(support)
    add_library(tests_support STATIC ${support})
    target_include_directories(tests_support PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(tests_support PUBLIC eddy_all_static)
  endif()

  file(GLOB_RECURSE tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*_test.c)
  foreach(source IN LISTS tests)
    get_filename_component(directory ${source} DIRECTORY)
    file(RELATIVE_PATH room ${PROJECT_SOURCE_DIR}/tests ${directory})
    if(EDDY_ROOMS AND NOT room IN_LIST EDDY_ROOMS)
      continue()
    endif()
    string(REPLACE "/" "_" room_name ${room})
    get_filename_component(module ${source} NAME_WE)
    string(REGEX REPLACE "_test$" "" module ${module})
    set(target test_${room_name}_${module})

    file(GLOB helpers CONFIGURE_DEPENDS ${directory}/*.c)
    list(FILTER helpers EXCLUDE REGEX "_test\\.c$")
    if(helpers AND NOT TARGET tests_${room_name})
      add_library(tests_${room_name} STATIC ${helpers})
      target_include_directories(tests_${room_name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
      target_link_libraries(tests_${room_name} PUBLIC eddy_all_static)
    endif()

    add_executable(${target} ${source} $<TARGET_OBJECTS:eddy_check>)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${directory})
    target_compile_definitions(${target} PRIVATE EDDY_TESTS_DIR="${PROJECT_SOURCE_DIR}/tests"
                                                 EDDY_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
    foreach(helper IN ITEMS tests_${room_name} tests_support)
      if(TARGET ${helper})
        target_link_libraries(${target} PRIVATE ${helper})
      endif()
    endforeach()
    target_link_libraries(${target} PRIVATE eddy_all_static eddy_cmocka ${CMAKE_DL_LIBS})
    if(room MATCHES "^(cli|examples|conform)$" AND TARGET programs)
      # These start what stands in build/bin.
      add_dependencies(${target} programs)
    endif()

    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    set(labels ${room})
    foreach(mark IN ITEMS threads seeds faults)
      file(STRINGS ${source} marked REGEX "^[ /]\\*.*${mark}: yes")
      if(marked)
        list(APPEND labels ${mark})
      endif()
    endforeach()
    set(timeout 60)
    file(STRINGS ${source} line REGEX "^[ /]\\*.*timeout: [0-9]+")
    if(line MATCHES "timeout: ([0-9]+)")
      set(timeout ${CMAKE_MATCH_1})
    endif()
    file(STRINGS ${source} alone REGEX "^[ /]\\*.*alone: yes")
    set(serial FALSE)
    if(alone)
      set(serial TRUE)
    endif()
    file(STRINGS ${source} line REGEX "^[ /]\\*.*backends: ")
    set(backends once)
    if(line MATCHES "backends: ([a-z ]+)")
      string(STRIP "${CMAKE_MATCH_1}" backends)
      string(REGEX REPLACE " +" ";" backends "${backends}")
      # On Linux a kqueue is a library that takes errors from sockets and loses sight of writers: good
      # for the poller's own tests, not for a loop.
      if((KQUEUE_FOUND AND room STREQUAL "poller") OR CMAKE_SYSTEM_NAME MATCHES "BSD|DragonFly|Darwin")
        list(APPEND backends kqueue)
      endif()
    endif()

    foreach(backend IN LISTS backends)
      set(name ${room}/${module})
      set(environment "")
      if(NOT backend STREQUAL "once")
        set(name ${room}/${module}@${backend})
        set(environment EDDY_BACKEND=${backend})
      endif()
      string(REPLACE "/" "_" folder ${name})
      file(MAKE_DIRECTORY ${scratch}/${folder})
      add_test(NAME ${name} COMMAND ${target} WORKING_DIRECTORY ${scratch}/${folder})
      set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout} LABELS "${labels}"
                           ENVIRONMENT "${environment}" RUN_SERIAL ${serial})
    endforeach()
  endforeach()
elseif(NOT CMOCKA_FOUND AND NOT EDDY_CHECK_PLAIN)
  message(STATUS "unit tests: left out, cmocka was not found (run scripts/deps)")
endif()

if(EDDY_ROOMS)
  return()
endif()

# tests/fuzz/<name>_fuzz.c defines LLVMFuzzerTestOneInput(). Built with Clang's sanitizers it is a
# fuzzer, which starts from what regress/<name>/ and seeds/<name>/ hold and runs a few seconds; in
# every other build it replays those files, so each input that once broke something is tried always.
set(EDDY_FUZZ_SECONDS 5 CACHE STRING "How long each fuzzer runs as a test")
file(GLOB fuzzers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/*_fuzz.c)
if(EDDY_LIBRARIES)
  foreach(source IN LISTS fuzzers)
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "_fuzz$" "" name ${name})
    set(inputs "")
    foreach(folder IN ITEMS regress seeds)
      if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/tests/fuzz/${folder}/${name})
        list(APPEND inputs ${PROJECT_SOURCE_DIR}/tests/fuzz/${folder}/${name})
      endif()
    endforeach()
    add_executable(fuzz_${name} ${source})
    set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    target_link_libraries(fuzz_${name} PRIVATE eddy_all_static)
    if(EDDY_SANITIZE STREQUAL "address" AND CMAKE_C_COMPILER_ID MATCHES "Clang")
      target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
      # The first folder takes what is found; it belongs to the build and may be thrown away.
      file(MAKE_DIRECTORY ${scratch}/fuzz_${name}/corpus)
      eddy_script_test(fuzz/${name} $<TARGET_FILE:fuzz_${name}> -max_total_time=${EDDY_FUZZ_SECONDS}
                       -timeout=5 -max_len=8192 -print_final_stats=0 -verbosity=0 corpus ${inputs})
      math(EXPR limit "${EDDY_FUZZ_SECONDS} + 60")
      set_tests_properties(fuzz/${name} PROPERTIES TIMEOUT ${limit} LABELS fuzz)
    else()
      target_sources(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
      eddy_script_test(fuzz/${name} $<TARGET_FILE:fuzz_${name}> ${inputs})
      set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz)
    endif()
  endforeach()
endif()

# The house's own laws.
eddy_script_test(layers ${PROJECT_SOURCE_DIR}/tools/layers ${PROJECT_SOURCE_DIR})
file(GLOB tool_tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/tools/*.sh)
foreach(test IN LISTS tool_tests)
  get_filename_component(name ${test} NAME_WE)
  eddy_script_test(tools/${name} sh ${test} ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})
endforeach()

# Every public header stands alone, included twice, in C11 and in C++17.
find_program(EDDY_CXX NAMES c++ g++ clang++)
file(GLOB headers RELATIVE ${PROJECT_SOURCE_DIR}/include CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/include/*.h ${PROJECT_SOURCE_DIR}/include/eddy/*.h)
foreach(header IN LISTS headers)
  string(REGEX REPLACE "\\.h$" "" name ${header})
  eddy_script_test(headers/${name}.c11 sh ${PROJECT_SOURCE_DIR}/tests/headers/compiles
                   c11 ${header} ${PROJECT_SOURCE_DIR}/include ${CMAKE_C_COMPILER})
  eddy_script_test(headers/${name}.c++17 sh ${PROJECT_SOURCE_DIR}/tests/headers/compiles
                   c++17 ${header} ${PROJECT_SOURCE_DIR}/include ${EDDY_CXX})
endforeach()

if(EDDY_LIBRARIES AND NOT EDDY_SANITIZE AND NOT APPLE)
  foreach(library IN LISTS EDDY_LIBRARIES)
    eddy_script_test(symbols/${library} ${PROJECT_SOURCE_DIR}/tools/symbols $<TARGET_FILE:${library}> ${library})
  endforeach()
  eddy_script_test(install sh ${PROJECT_SOURCE_DIR}/tests/install/run
                   ${PROJECT_SOURCE_DIR}/tests/install ${PROJECT_BINARY_DIR}
                   ${CMAKE_C_COMPILER} ${CMAKE_INSTALL_LIBDIR})
endif()
