# Programs: the eddy command, the examples, the benchmarks. All link the shared libraries, as a
# user's program does; a benchmark that measures an inner part says `link: static` in its source, one
# that is no program of eddy's but speaks to io_uring itself `link: uring`.

add_custom_target(programs)
if(EDDY_ROOMS OR NOT EDDY_LIBRARIES)
  return()
endif()

add_dependencies(programs ${EDDY_LIBRARIES})

# eddy_program(<target> <output name> <folder under bin/, or .> <sources>...)
function(eddy_program target output folder)
  add_executable(${target} ${ARGN})
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${output}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${folder})
  target_link_libraries(${target} PRIVATE Threads::Threads)
  add_dependencies(programs ${target})
endfunction()

file(GLOB cli CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.c)
if(cli)
  eddy_program(eddy-cli eddy . ${cli})
  target_include_directories(eddy-cli PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(eddy-cli PRIVATE ${EDDY_LIBRARIES} ${CMAKE_DL_LIBS})
  # Where `eddy run` finds headers and libraries, relative to its own binary; and which compiler
  # built us, the default for what it compiles.
  target_compile_definitions(eddy-cli PRIVATE
    EDDY_LIB_FROM_BIN="${EDDY_LIB_FROM_BIN}" EDDY_INCLUDE_FROM_BIN="${EDDY_INCLUDE_FROM_BIN}")
endif()

file(GLOB examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c)
foreach(source IN LISTS examples)
  get_filename_component(name ${source} NAME_WE)
  # `pkg-config: NAME` in an example's comment is a library of the host it is for; where it is missing
  # the example is left out, and its test says so.
  file(STRINGS ${source} host REGEX "^ \\* pkg-config: ")
  if(host)
    string(REGEX REPLACE "^ \\* pkg-config: " "" host "${host}")
    pkg_check_modules(HOST_${name} QUIET IMPORTED_TARGET ${host})
    if(NOT HOST_${name}_FOUND)
      message(STATUS "examples/${name}: left out, ${host} was not found (run scripts/deps --test)")
      continue()
    endif()
  endif()
  eddy_program(example-${name} ${name} examples ${source})
  if(host)
    target_link_libraries(example-${name} PRIVATE PkgConfig::HOST_${name})
  endif()
  target_link_libraries(example-${name} PRIVATE ${EDDY_LIBRARIES})
  # Examples are written as a user would, who has our macros and no extra standard.
  target_include_directories(example-${name} PRIVATE ${PROJECT_SOURCE_DIR}/include)
endforeach()

# bench/http.c -> bench-http; bench/floor/epoll.c -> floor-epoll; a name that says so already is kept.
function(eddy_bench prefix source)
  file(STRINGS ${source} uring REGEX "link: uring")
  if(uring AND NOT URING_FOUND)
    return()
  endif()
  get_filename_component(name ${source} NAME_WE)
  if(NOT name MATCHES "^${prefix}")
    set(name ${prefix}-${name})
  endif()
  eddy_program(program-${name} ${name} . ${source})
  target_include_directories(program-${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  file(STRINGS ${source} static REGEX "link: static")
  if(uring)
    target_link_libraries(program-${name} PRIVATE PkgConfig::URING)
  elseif(static)
    target_link_libraries(program-${name} PRIVATE eddy_all_static)
  elseif(NOT prefix STREQUAL "floor")
    target_link_libraries(program-${name} PRIVATE ${EDDY_LIBRARIES})
  endif()
endfunction()

file(GLOB benches CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.c)
foreach(source IN LISTS benches)
  eddy_bench(bench ${source})
endforeach()
file(GLOB floors CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/floor/*.c)
foreach(source IN LISTS floors)
  eddy_bench(floor ${source})
endforeach()

# The same scene on several libraries: bench/pipes/libuv.c -> bench-pipes-libuv, where it is there.
set(bench_libevent event_core)
set(bench_libevent-et event_core)
set(bench_libev ev)
set(bench_libuv uv)
foreach(stack IN ITEMS eddy eddy-edge epoll libevent libevent-et libev libuv)
  set(needs ${bench_${stack}})
  if(needs)
    find_library(BENCH_${needs} ${needs})
  endif()
  if(needs AND NOT BENCH_${needs})
    continue()
  endif()
  foreach(scene IN ITEMS pipes post udp file echo)
    set(source ${PROJECT_SOURCE_DIR}/bench/${scene}/${stack}.c)
    if(EXISTS ${source})
      eddy_program(bench-${scene}-${stack} bench-${scene}-${stack} .
                   ${PROJECT_SOURCE_DIR}/bench/${scene}/scene.c ${source})
      if(needs)
        target_link_libraries(bench-${scene}-${stack} PRIVATE ${BENCH_${needs}})
      else()
        target_include_directories(bench-${scene}-${stack} PRIVATE ${PROJECT_SOURCE_DIR}/include)
        target_link_libraries(bench-${scene}-${stack} PRIVATE ${EDDY_LIBRARIES})
      endif()
    endif()
  endforeach()
endforeach()
