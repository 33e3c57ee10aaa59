# For a 64-bit Arm, from any machine:
#
#   cmake -S . -B build/arm64 --toolchain cmake/aarch64.cmake -DEDDY_CHECK_PLAIN=ON -DEDDY_ROOMS="base;poller;loop;task"
#
# What is built runs under qemu-user (tools/arm64 does both). Packages: scripts/deps --check.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_ASM_COMPILER aarch64-linux-gnu-gcc)

set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
# Only what is installed for that machine; a library of this one would be found otherwise.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig)

# The processor signs return addresses and tracks branches as a new one does. The architected cipher
# of the signatures takes longer to emulate than everything else; the cheap one proves as much.
find_program(EDDY_QEMU NAMES qemu-aarch64 qemu-aarch64-static)
if(EDDY_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR "${EDDY_QEMU};-L;/usr/aarch64-linux-gnu;-cpu;max,pauth-impdef=on")
endif()
