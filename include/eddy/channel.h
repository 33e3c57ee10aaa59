/*
 * eddy/channel.h - values handed from task to task, in order, with back-pressure
 *
 *     EDDY_OWN(eddy_channel) jobs = NULL;
 *     r = eddy_channel_new(sizeof(struct job), EDDY_OPT(channel, .capacity = 16), &jobs);
 *
 *     r = eddy_channel_send(jobs, &job);                    one task
 *     eddy_channel_close(jobs);
 *
 *     while ((r = eddy_channel_receive(jobs, &job)) > 0)    another; 0: closed and empty
 *         work_on(&job);
 *
 * Items are copied: into the channel, or past its buffer straight into the memory of a receiver
 * that waits. What an item points to passes to whoever receives it. A channel holds at most its
 * capacity; with none (the default) a sender waits for its receiver. Where a call would wait its
 * try_ is -EAGAIN; it looks at no scope, unlike the tries of eddy/lock.h.
 *
 * What holds, with the test that shows it (tests/task/channel_test.c, select_test.c on every
 * driver; channel_threads_test.c with four threads):
 *
 *  rule                                                        test
 *  ----------------------------------------------------------  -------------------------------
 *  Items come out in the order in which they went in           items_keep_their_order
 *  Without capacity an item passes from hand to hand           unbuffered_waits_for_the_receiver
 *  A full channel makes senders wait                           full_channel_makes_senders_wait
 *  Waiting senders and waiting receivers are served in the     waiting_receivers_are_fifo,
 *   order in which they came                                   waiting_senders_are_fifo
 *  A cancelled receiver has taken nothing                      cancelled_receiver_took_nothing
 *  A cancelled sender has put nothing in, and owns its item    cancelled_sender_put_nothing_in
 *  What was handed over when the cancel arrives is delivered   handed_over_beats_the_cancel
 *  No item is lost or doubled, whoever is cancelled when       random_cancels_lose_nothing
 *  A call looks at its scope first                             cancelled_call_does_nothing
 *  Closing ends waits; what is buffered is still received      closed_channel_is_drained_first
 *  Waiting senders get -EPIPE when it is closed                close_refuses_waiting_senders
 *  Closing twice is closing once                               close_is_idempotent
 *  try_ calls never wait, and are for callbacks, too           try_calls_never_wait
 *  ... and look at no scope                                    tries_look_at_no_scope
 *  A pair of busy tasks does not starve the loop               busy_pair_starves_nobody,
 *                                                               who_need_not_wait_gives_way
 *  Plain code may send and receive                             plain_code_turns_the_loop
 *  .shared: tasks and plain code of any thread                 many_to_many_over_threads
 *  .shared: a cancel in one thread against a hand-over in      cancels_race_with_hand_overs,
 *   another loses nothing                                      served_by_a_thread_beats_the_cancel
 *  .shared: who received the last item may free it             the_last_receiver_may_free_it
 *  select takes exactly one of the ready cases, any of them    select_takes_one_of_the_ready
 *   as likely                                                  select_is_fair
 *  select waits for the first                                  select_waits_for_the_first
 *  A cancelled select did nothing                              cancelled_select_did_nothing
 *  .nowait is -EAGAIN, .timeout_ms -ETIMEDOUT                  nowait_is_eagain,
 *                                                               timeout_is_etimedout
 *  A closed channel is ready                                   closed_channel_is_ready
 *  Shared and local channels may be mixed                      shared_and_local_are_mixed
 */
#ifndef EDDY_CHANNEL_H
#define EDDY_CHANNEL_H

#include <eddy/common.h>
#include <eddy/error.h>

EDDY_BEGIN

struct eddy_channel;

struct eddy_channel_options {
    size_t size;     /* filled by EDDY_OPT(channel, ...) */
    size_t capacity; /* items it holds; 0: none, hand to hand. The buffer is at most 1 GiB */
    bool shared;     /* used from several threads; else only from the one */
};

/**
 * eddy_channel_new() - make a channel
 * @item_size:   bytes of an item, 4096 at most; 0 is a channel of bare signals
 * @options:     may be NULL
 * @ret_channel: owned by the caller
 *
 * Return: 0; -EINVAL (an item or a buffer too large), -ENOMEM.
 * Source: Go's make(chan T, n).   Since: 0.1
 */
EDDY_API int eddy_channel_new(size_t item_size, const struct eddy_channel_options *options,
                              struct eddy_channel **ret_channel);

/**
 * eddy_channel_free() - free a channel, and what it holds with it
 * @ch: NULL is fine. Nobody may wait in it (asserted): close it, and let who waited come back
 *      first. Of a shared one, no other thread may be about to call; whoever received the last
 *      item, or saw the end, may free it.
 *
 * Items still buffered are forgotten: if they own something, close and receive first.
 *
 * Return: nothing.   Source: none.   Since: 0.1
 */
EDDY_API void eddy_channel_free(struct eddy_channel *ch);
#ifndef __cplusplus
EDDY_FREE_AT(eddy_channel)
#endif

/**
 * eddy_channel_send() - hand an item on
 * @ch:   open
 * @item: its size in bytes is read before this returns; ignored for bare signals
 *
 * Suspends while the channel is full, or, without capacity, until somebody receives. Looks at its
 * scope first. Waiting senders are served in the order in which they came. Cancelled: nothing
 * happened, and the item is still the caller's.
 *
 * Return: 0 when the item is in the channel or in a receiver's hands; or negative, and it is not:
 *   -EPIPE      closed, before or while it waited
 *   -ETIMEDOUT  the innermost deadline passed     -ECANCELED  an outer scope ended
 *   -EDEADLK    in a callback                     -ENOMEM     no memory for this thread's loop
 * Source: Go's ch <- v.   Since: 0.1
 */
EDDY_API int eddy_channel_send(struct eddy_channel *ch, const void *item);

/**
 * eddy_channel_receive() - take the oldest item
 * @ch:       open or closed
 * @ret_item: written only when 1 is returned; ignored for bare signals
 *
 * Suspends while the channel is empty. Looks at its scope first. Waiting receivers are served in
 * the order in which they came. Cancelled: nothing happened; an item that was handed over when
 * the cancel arrived is returned.
 *
 * Return: 1 with an item; 0 when it is closed and empty; or negative:
 *   -ETIMEDOUT  the innermost deadline passed     -ECANCELED  an outer scope ended
 *   -EDEADLK    in a callback                     -ENOMEM     no memory for this thread's loop
 * Source: Go's v, ok := <-ch.   Since: 0.1
 */
EDDY_API int eddy_channel_receive(struct eddy_channel *ch, void *ret_item);

/** eddy_channel_try_send() - hand an item on if that needs no waiting
 * @ch:   open
 * @item: as for eddy_channel_send()
 *
 * Never suspends and looks at no scope: from tasks, callbacks, and, if shared, any thread.
 *
 * Return: 0; -EAGAIN (full, or nobody waits), -EPIPE.   Source: none.   Since: 0.1 */
EDDY_API int eddy_channel_try_send(struct eddy_channel *ch, const void *item);

/** eddy_channel_try_receive() - take the oldest item if there is one
 * @ch:       open or closed
 * @ret_item: written only when 1 is returned
 *
 * Never suspends and looks at no scope: from tasks, callbacks, and, if shared, any thread.
 *
 * Return: 1; 0 (closed and empty), -EAGAIN.   Source: none.   Since: 0.1 */
EDDY_API int eddy_channel_try_receive(struct eddy_channel *ch, void *ret_item);

/** eddy_channel_close() - no more items
 * @ch: may be closed already
 *
 * Never suspends. What is buffered can still be received, then receivers get 0. Senders, those
 * that wait too, get -EPIPE and keep their items.
 *
 * Return: nothing.   Source: Go's close.   Since: 0.1 */
EDDY_API void eddy_channel_close(struct eddy_channel *ch);

/** eddy_channel_count() - how many items are buffered
 * @ch: what waiting senders hold does not count
 *
 * Return: the count, 0 to the capacity; of a shared channel, as it was.
 * Source: Go's len.   Since: 0.1 */
EDDY_API size_t eddy_channel_count(const struct eddy_channel *ch);

/* --- several at once -------------------------------------------------------------------------- */

/* One thing that eddy_select() may do. EDDY_ON_SEND and EDDY_ON_RECEIVE fill it. */
struct eddy_select_case {
    struct eddy_channel *channel; /* NULL: never ready */
    const void *item;             /* to send */
    void *ret_item;               /* where to put what is received */
    bool sends;
    int result; /* of the case that was taken: what send or receive would have returned */
    void *opaque[6];
};

struct eddy_select_options {
    size_t size;        /* filled by EDDY_OPT(select, ...) */
    int64_t timeout_ms; /* 0: the scope's deadline only */
    bool nowait;        /* -EAGAIN rather than waiting: Go's default case */
};

#define EDDY_SELECT_MAX 64 /* cases */

#ifndef __cplusplus
#define EDDY_ON_SEND(ch, from)                                                                     \
    {                                                                                              \
        .channel = (ch), .item = (from), .sends = true                                             \
    }
#define EDDY_ON_RECEIVE(ch, into)                                                                  \
    {                                                                                              \
        .channel = (ch), .ret_item = (into)                                                        \
    }
#endif

/**
 * eddy_select() - do the first of several sends and receives that can be done
 * @cases:   borrowed until return; ->result of the one taken is filled
 * @count:   EDDY_SELECT_MAX at most; the same channel may stand in several
 * @options: may be NULL
 *
 *     struct eddy_select_case cases[] = {
 *         EDDY_ON_RECEIVE(jobs, &job),
 *         EDDY_ON_RECEIVE(stop, NULL),
 *     };
 *     int which = eddy_select(cases, 2, EDDY_OPT(select, .timeout_ms = 500));
 *
 * Suspends until one can be done, and does exactly that one. Of several that can be done at once
 * each is as likely, by the loop's own chance (seeded in the simulator); so none starves. A
 * closed channel is ready: the result is 0 or -EPIPE, as alone. Among those who wait at a
 * channel a select stands where it came. Looks at its scope first. Cancelled: nothing happened.
 * With .nowait it never suspends, looks at no scope, and may be called from callbacks.
 *
 * Return: the index of the case that was taken; or negative:
 *   -EAGAIN     .nowait, and none was ready
 *   -ETIMEDOUT  .timeout_ms, or without it the innermost deadline, passed
 *   -ECANCELED  an outer scope ended              -EDEADLK    in a callback
 *   -EINVAL     too many cases                    -ENOMEM     no memory for this thread's loop
 * Source: Go's select.   Since: 0.1
 */
EDDY_API int eddy_select(struct eddy_select_case *cases, size_t count,
                         const struct eddy_select_options *options);

EDDY_END

#endif
