/*
 * base/sanitize.h - what the sanitizers and Valgrind are told, in one place
 *
 * EDDY_ASAN, EDDY_TSAN: built with that sanitizer. The calls vanish in other builds, so the code
 * that makes them has no #ifdef.
 */
#ifndef EDDY_BASE_SANITIZE_H
#define EDDY_BASE_SANITIZE_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EDDY_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define EDDY_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(EDDY_ASAN)
#define EDDY_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__) && !defined(EDDY_TSAN)
#define EDDY_TSAN 1
#endif

#ifdef EDDY_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#define eddy_poison(ptr, len) __asan_poison_memory_region((ptr), (len))
#define eddy_unpoison(ptr, len) __asan_unpoison_memory_region((ptr), (len))
#define eddy_leak_root_add(ptr, len) __lsan_register_root_region((ptr), (len))
#define eddy_leak_root_remove(ptr, len) __lsan_unregister_root_region((ptr), (len))
#else
#define eddy_poison(ptr, len) ((void)(ptr), (void)(len))
#define eddy_unpoison(ptr, len) ((void)(ptr), (void)(len))
#define eddy_leak_root_add(ptr, len) ((void)(ptr), (void)(len))
#define eddy_leak_root_remove(ptr, len) ((void)(ptr), (void)(len))
#endif

#endif
