# Writes the linker's version script; run by the build, see Rooms.cmake.
#   cmake -D OUT=file -D VERSION=x.y.z -D SEED=text -D ROOT=folder -P version_script.cmake
#
# EDDY_0: what programs may call. EDDY_PRIVATE_<version>_<digest>: names with two underscores, which
# eddy's own libraries share and which only libraries of the same build may use.

file(GLOB_RECURSE headers ${ROOT}/src/*.h ${ROOT}/include/*.h)
list(SORT headers)
set(text "${SEED}")
foreach(header IN LISTS headers)
  file(SHA256 ${header} digest)
  file(RELATIVE_PATH name ${ROOT} ${header})
  string(APPEND text " ${name}:${digest}")
endforeach()
string(SHA256 id "${text}")
string(SUBSTRING ${id} 0 12 id)

set(script "EDDY_0 {\n    global: eddy_[!_]*;\n    local: *;\n};\n")
string(APPEND script "EDDY_PRIVATE_${VERSION}_${id} {\n    global: eddy__*;\n};\n")

set(old "")
if(EXISTS ${OUT})
  file(READ ${OUT} old)
endif()
if(old STREQUAL script)
  file(TOUCH ${OUT})
else()
  file(WRITE ${OUT} "${script}")
endif()
