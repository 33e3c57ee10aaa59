/*
 * eddy/lock.h - locks for the tasks of one loop: who may go on, and who waits
 *
 *     static struct eddy_mutex mutex = EDDY_MUTEX_INIT;
 *
 *     static int transfer(int cents)
 *     {
 *         EDDY_LOCKED(held, &mutex);
 *         if (held < 0)
 *             return held;            // cancelled: not locked, and nothing to unlock
 *         ...calls that wait...
 *         return 0;                   // unlocked on every way out
 *     }
 *
 * Tasks of one loop never run at the same time, so a lock is needed only where what it guards must
 * hold across a wait. Nothing here is for several threads: see eddy/channel.h and eddy/future.h. A
 * lock is placed by the caller, static or on a stack, with its initialiser; there is nothing to
 * allocate. Waiters lie on their tasks' stacks, in line: first come, first served. What is given up
 * is handed to the next in line directly: nobody barges in between, and a cancel that comes after
 * the hand-over comes too late, so that nothing is handed to a task that does not take it.
 *
 * Tries look at their scope first, as all that may wait here do (those of eddy/channel.h and
 * eddy/queue.h look at none), and say what POSIX says: -EBUSY of a mutex or a read-write lock,
 * -EAGAIN of a semaphore.
 *
 * What holds, with the test that shows it (tests/task/, on every driver):
 *
 *  rule                                                          test
 *  ------------------------------------------------------------  -------------------------------
 *  One task at a time holds a mutex                              a_mutex_excludes
 *  Waiters are served in the order they came                     *_is_first_come_first_served
 *  A call looks at its scope first and then has done nothing     *_looks_at_its_scope_first
 *  A cancelled waiter is out of line, and holds nothing          *_cancelled_is_out_of_line
 *  What was handed over when the cancel came is held             *_handed_over_is_held
 *  No waiter is lost, no lock kept, whoever is cancelled when    *_survives_random_cancels
 *  A lock that is free costs no wait but a share of the turn     *_free_spends_a_try
 *  A callback may not wait: -EDEADLK                             *_in_a_callback_is_edeadlk
 *  Locked twice by one task is -EDEADLK,                         misuse_of_a_mutex_is_told,
 *  unlocked by another -EPERM, ended with waiters asserted       misuse_of_a_rwlock_is_told
 *  EDDY_LOCKED unlocks on the way out, and only what it locked   locked_unlocks_on_the_way_out,
 *                                                                locked_cancelled_is_not_locked
 *  Readers share, a writer is alone                              readers_share_a_writer_is_alone
 *  Readers who come after a writer wait behind it                a_writer_is_not_starved
 *  A writer who leaves the line lets the readers behind it in
 *                                                               a_writer_who_leaves_lets_readers_in
 *  A condition's wait has the mutex again, cancelled or not      a_condition_has_its_mutex_again
 *  A notification is taken by one who was waiting, never lost    a_notification_is_not_lost
 */
#ifndef EDDY_LOCK_H
#define EDDY_LOCK_H

#include <eddy/common.h>

EDDY_BEGIN

/* Placed by the caller; the content is the library's. Static, or set with eddy_..._init(). */
struct eddy_mutex {
    void *opaque[6];
};
struct eddy_rwlock {
    void *opaque[8];
};
struct eddy_semaphore {
    size_t permits; /* read it with eddy_semaphore_permits() */
    void *opaque[5];
};
struct eddy_condition {
    void *opaque[6];
};

/* clang-format off */
#define EDDY_MUTEX_INIT { { NULL } }
#define EDDY_RWLOCK_INIT { { NULL } }
#define EDDY_CONDITION_INIT { { NULL } }
#define EDDY_SEMAPHORE_INIT(permits) { (permits), { NULL } }
/* clang-format on */

#ifndef __cplusplus

/*
 * EDDY_LOCKED(held, &mutex);       lock, and unlock when the block is left
 * EDDY_READ_LOCKED(held, &rwlock);
 * EDDY_WRITE_LOCKED(held, &rwlock);
 * EDDY_PERMITTED(held, &semaphore);
 *
 * Declares `int held`: 0, or why there is no lock (cancelled, late, misuse). Who does not look at
 * it is told by the compiler (-Wall: an unused variable); `if (held < 0) return held;` is the use.
 * The guard, held_guard, gives back only what was taken.
 */
#define EDDY_LOCKED(name, mutex)                                                                   \
    __attribute__((cleanup(eddy_mutex_unlock_at))) struct eddy_mutex *name##_guard = (mutex);      \
    int name = eddy_mutex_lock_at(&name##_guard)
#define EDDY_READ_LOCKED(name, rwlock)                                                             \
    __attribute__((cleanup(eddy_rwlock_unlock_at))) struct eddy_rwlock *name##_guard = (rwlock);   \
    int name = eddy_rwlock_read_at(&name##_guard)
#define EDDY_WRITE_LOCKED(name, rwlock)                                                            \
    __attribute__((cleanup(eddy_rwlock_unlock_at))) struct eddy_rwlock *name##_guard = (rwlock);   \
    int name = eddy_rwlock_write_at(&name##_guard)
#define EDDY_PERMITTED(name, semaphore)                                                            \
    __attribute__((                                                                                \
        cleanup(eddy_semaphore_release_at))) struct eddy_semaphore *name##_guard = (semaphore);    \
    int name = eddy_semaphore_acquire_at(&name##_guard)

#endif

/* --- mutex --------------------------------------------------------------------------------- */

/** eddy_mutex_init() - as EDDY_MUTEX_INIT, at run time
 * @m: placed by the caller
 *
 * Return: nothing.   Source: pthread_mutex_init(3).   Since: 0.1 */
EDDY_API void eddy_mutex_init(struct eddy_mutex *m);

/** eddy_mutex_done() - end it; asserts that it is free and that nobody waits
 * @m: initialised
 *
 * Return: nothing.   Source: pthread_mutex_destroy(3).   Since: 0.1 */
EDDY_API void eddy_mutex_done(struct eddy_mutex *m);

/**
 * eddy_mutex_lock() - have it alone
 * @m: of this thread's tasks
 *
 * Suspends while another task has it; in line. Looks at its scope first. A free mutex is taken
 * without a wait, at the price of one of the turn's tries: a task that has none left gives way
 * before it takes the lock. Cancelled: nothing happened. The holder must unlock it before it
 * ends: nothing does it for it (EDDY_LOCKED does).
 *
 * Return: 0; or negative, and then it is not locked:
 *   -ETIMEDOUT  the innermost deadline passed   -ECANCELED  an outer scope ended
 *   -EDEADLK    this task has it already, or a callback
 * Source: asyncio.Lock, pthread_mutex_lock(3).   Since: 0.1
 */
EDDY_API EDDY_MUST_USE int eddy_mutex_lock(struct eddy_mutex *m);

/** eddy_mutex_try() - have it if it is free now
 * @m: of this thread's tasks
 *
 * Does not suspend. Looks at its scope first.
 *
 * Return: 0, -EBUSY, and as eddy_mutex_lock().   Source: pthread_mutex_trylock(3).   Since: 0.1 */
EDDY_API EDDY_MUST_USE int eddy_mutex_try(struct eddy_mutex *m);

/** eddy_mutex_unlock() - give it to the next in line, or free it
 * @m: held by this task
 *
 * Does not suspend, and is not cancelled.
 *
 * Return: 0, or -EPERM: this task does not hold it.   Source: asyncio.Lock.   Since: 0.1 */
EDDY_API int eddy_mutex_unlock(struct eddy_mutex *m);

/* --- read-write lock ------------------------------------------------------------------------- */

/** eddy_rwlock_init() - as EDDY_RWLOCK_INIT, at run time
 * @l: placed by the caller
 *
 * Return: nothing.   Source: pthread_rwlock_init(3).   Since: 0.1 */
EDDY_API void eddy_rwlock_init(struct eddy_rwlock *l);

/** eddy_rwlock_done() - end it; asserts that it is free and that nobody waits
 * @l: initialised
 *
 * Return: nothing.   Source: pthread_rwlock_destroy(3).   Since: 0.1 */
EDDY_API void eddy_rwlock_done(struct eddy_rwlock *l);

/**
 * eddy_rwlock_read() - have it together with other readers
 * @l: of this thread's tasks
 *
 * Suspends while a writer has it, or stands in line before us: readers and writers are served in
 * the order they came, so neither starves. Therefore a reader must not read again before it has
 * unlocked: with a writer between, it would wait for itself. Readers are counted, not known, so
 * that is not noticed. Looks at its scope first. Cancelled: nothing happened.
 *
 * Return: 0, -ETIMEDOUT, -ECANCELED; -EDEADLK: this task is the writer, or a callback.
 * Source: pthread_rwlock_rdlock(3).   Since: 0.1
 */
EDDY_API EDDY_MUST_USE int eddy_rwlock_read(struct eddy_rwlock *l);

/**
 * eddy_rwlock_write() - have it alone
 * @l: of this thread's tasks
 *
 * Suspends while anybody has it or stands in line. Looks at its scope first. Cancelled: nothing
 * happened, and readers who stood behind us go in.
 *
 * Return: 0, -ETIMEDOUT, -ECANCELED; -EDEADLK: this task is the writer already, or a callback.
 * Source: pthread_rwlock_wrlock(3).   Since: 0.1
 */
EDDY_API EDDY_MUST_USE int eddy_rwlock_write(struct eddy_rwlock *l);

/** eddy_rwlock_try_read() - read if that is possible now, with nobody in line
 * @l: of this thread's tasks
 *
 * Does not suspend. Looks at its scope first.
 *
 * Return: 0, -EBUSY, and as eddy_rwlock_read().
 * Source: pthread_rwlock_tryrdlock(3).   Since: 0.1 */
EDDY_API EDDY_MUST_USE int eddy_rwlock_try_read(struct eddy_rwlock *l);

/** eddy_rwlock_try_write() - write if it is free now
 * @l: of this thread's tasks
 *
 * Does not suspend. Looks at its scope first.
 *
 * Return: 0, -EBUSY, and as eddy_rwlock_write().
 * Source: pthread_rwlock_trywrlock(3).   Since: 0.1 */
EDDY_API EDDY_MUST_USE int eddy_rwlock_try_write(struct eddy_rwlock *l);

/** eddy_rwlock_unlock() - give back what this task has: the writing, or one reading
 * @l: held
 *
 * Does not suspend, and is not cancelled.
 *
 * Return: 0, or -EPERM: another task writes, or nobody has it.
 * Source: pthread_rwlock_unlock(3).   Since: 0.1 */
EDDY_API int eddy_rwlock_unlock(struct eddy_rwlock *l);

/* --- semaphore ------------------------------------------------------------------------------- */

/** eddy_semaphore_init() - as EDDY_SEMAPHORE_INIT(permits), at run time
 * @s:       placed by the caller
 * @permits: to begin with; may be 0
 *
 * Return: nothing.   Source: sem_init(3).   Since: 0.1 */
EDDY_API void eddy_semaphore_init(struct eddy_semaphore *s, size_t permits);

/** eddy_semaphore_done() - end it; asserts that nobody waits
 * @s: initialised
 *
 * Return: nothing.   Source: sem_destroy(3).   Since: 0.1 */
EDDY_API void eddy_semaphore_done(struct eddy_semaphore *s);

/**
 * eddy_semaphore_acquire() - take a permit
 * @s: of this thread's tasks
 *
 * Suspends while there is none; in line. Looks at its scope first. Cancelled: nothing happened,
 * no permit is gone.
 *
 * Return: 0, -ETIMEDOUT, -ECANCELED, -EDEADLK (a callback).
 * Source: asyncio.Semaphore.   Since: 0.1
 */
EDDY_API EDDY_MUST_USE int eddy_semaphore_acquire(struct eddy_semaphore *s);

/** eddy_semaphore_try() - take a permit if there is one now
 * @s: of this thread; a callback may try, too
 *
 * Does not suspend. Looks at its scope first.
 *
 * Return: 0, -EAGAIN, -ETIMEDOUT, -ECANCELED.   Source: sem_trywait(3).   Since: 0.1 */
EDDY_API EDDY_MUST_USE int eddy_semaphore_try(struct eddy_semaphore *s);

/** eddy_semaphore_release() - give a permit to the next in line, or keep it for who comes
 * @s: of this thread; any task or callback, whether it took one or not
 *
 * Does not suspend, and is not cancelled.
 *
 * Return: nothing.   Source: asyncio.Semaphore.   Since: 0.1 */
EDDY_API void eddy_semaphore_release(struct eddy_semaphore *s);

/** eddy_semaphore_permits() - how many there are now
 * @s: initialised
 *
 * Return: the count; 0 when somebody waits.   Source: sem_getvalue(3).   Since: 0.1 */
EDDY_API size_t eddy_semaphore_permits(const struct eddy_semaphore *s);

/* --- condition ------------------------------------------------------------------------------- */

/** eddy_condition_init() - as EDDY_CONDITION_INIT, at run time
 * @c: placed by the caller
 *
 * Return: nothing.   Source: pthread_cond_init(3).   Since: 0.1 */
EDDY_API void eddy_condition_init(struct eddy_condition *c);

/** eddy_condition_done() - end it; asserts that nobody waits
 * @c: initialised
 *
 * Return: nothing.   Source: pthread_cond_destroy(3).   Since: 0.1 */
EDDY_API void eddy_condition_done(struct eddy_condition *c);

/**
 * eddy_condition_wait() - give the mutex back, wait for a notification, have the mutex again
 * @c:     of this thread's tasks
 * @mutex: held by this task
 *
 * Suspends. Looks at its scope first: then the mutex was not given back. On return this task
 * holds the mutex in every case, so that leaving its block is right in every case; hence after a
 * cancel, too, it waits until those before it in the mutex's line have had it. What has been
 * notified returns 0, even if a cancel arrives before it has the mutex. Cancelled: no
 * notification is used up. As ever: wait in a loop that tests what is waited for.
 *
 * Return: 0; -ETIMEDOUT, -ECANCELED; -EPERM: this task does not hold @mutex; -EDEADLK.
 * Source: asyncio.Condition, pthread_cond_wait(3).   Since: 0.1
 */
EDDY_API int eddy_condition_wait(struct eddy_condition *c, struct eddy_mutex *mutex);

/** eddy_condition_notify() - wake the one that has waited longest
 * @c: of this thread; with the mutex or without, from a task or a callback
 *
 * Does not suspend: it goes into the mutex's line at once. Nobody waits: nothing happens.
 *
 * Return: nothing.   Source: asyncio.Condition, pthread_cond_signal(3).   Since: 0.1 */
EDDY_API void eddy_condition_notify(struct eddy_condition *c);

/** eddy_condition_notify_all() - wake all that wait now
 * @c: as in eddy_condition_notify()
 *
 * Return: nothing.   Source: pthread_cond_broadcast(3).   Since: 0.1 */
EDDY_API void eddy_condition_notify_all(struct eddy_condition *c);

#ifndef __cplusplus

/* Behind the guards: a lock that was not had is forgotten, so that it is not given back. */
#define EDDY_GUARD_(type, take)                                                                    \
    static inline EDDY_UNUSED int type##_##take##_at(struct type **at)                             \
    {                                                                                              \
        int r = type##_##take(*at);                                                                \
        if (r < 0)                                                                                 \
            *at = NULL;                                                                            \
        return r;                                                                                  \
    }
#define EDDY_GUARD_END_(type, give)                                                                \
    static inline EDDY_UNUSED void type##_##give##_at(struct type **at)                            \
    {                                                                                              \
        if (*at)                                                                                   \
            type##_##give(*at);                                                                    \
    }
EDDY_GUARD_(eddy_mutex, lock)
EDDY_GUARD_END_(eddy_mutex, unlock)
EDDY_GUARD_(eddy_rwlock, read)
EDDY_GUARD_(eddy_rwlock, write)
EDDY_GUARD_END_(eddy_rwlock, unlock)
EDDY_GUARD_(eddy_semaphore, acquire)
EDDY_GUARD_END_(eddy_semaphore, release)
#undef EDDY_GUARD_
#undef EDDY_GUARD_END_

#endif

EDDY_END

#endif
