# What `make install` puts where: libraries, headers, pkg-config files, the eddy command. The
# pkg-config files name their prefix relative to themselves, so an installed tree can be moved.

if(EDDY_ROOMS OR NOT EDDY_LIBRARIES)
  return()
endif()

file(RELATIVE_PATH EDDY_PREFIX_FROM_PC
     ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" EDDY_PREFIX_FROM_PC "${EDDY_PREFIX_FROM_PC}")

install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

# eddy_pkgconfig(<library> "<description>" REQUIRES <eddy modules>... PRIVATE <modules, for static links>...)
function(eddy_pkgconfig name description)
  cmake_parse_arguments(arg "" "" "REQUIRES;PRIVATE" ${ARGN})
  if(NOT TARGET ${name})
    return()
  endif()
  set(PC_NAME ${name})
  set(PC_DESCRIPTION "${description}")
  set(requires "")
  foreach(module IN LISTS arg_REQUIRES)
    if(TARGET ${module})
      list(APPEND requires "${module} = ${EDDY_VERSION}")
    endif()
  endforeach()
  list(JOIN requires ", " PC_REQUIRES)
  list(JOIN arg_PRIVATE ", " PC_REQUIRES_PRIVATE)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/module.pc.in ${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  install(TARGETS ${name} ${name}-static
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endfunction()

set(private "")
if(URING_FOUND)
  list(APPEND private liburing)
endif()
if(TARGET room_dns)
  list(APPEND private libcares)
endif()
set(llhttp "")
if(LLHTTP_FOUND)
  set(llhttp libllhttp)
endif()

eddy_pkgconfig(eddy "Non-blocking I/O for C: pollers, loop, tasks, streams" PRIVATE ${private})
eddy_pkgconfig(eddy-tls "TLS for eddy's streams" REQUIRES eddy PRIVATE openssl)
eddy_pkgconfig(eddy-line "Lines typed by people, on eddy" REQUIRES eddy PRIVATE libedit)
eddy_pkgconfig(eddy-http "HTTP server and client on eddy" REQUIRES eddy eddy-tls PRIVATE ${llhttp})
eddy_pkgconfig(eddy-web "Web framework on eddy" REQUIRES eddy eddy-http)
eddy_pkgconfig(eddy-serve "Serving an eddy application" REQUIRES eddy eddy-web)

if(TARGET eddy-cli)
  install(TARGETS eddy-cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
