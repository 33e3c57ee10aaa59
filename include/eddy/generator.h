/*
 * eddy/generator.h - functions that give one value after the other, and may wait in between
 *
 *     struct squares_args { int upto; };
 *
 *     static int squares(struct eddy_gen *gen, struct squares_args *a)
 *     {
 *         for (int n = 1; n <= a->upto; n++) {
 *             int r = eddy_gen_yield(gen, &(int){ n * n });
 *             if (r < 0)
 *                 return r;                            // the reader has left
 *         }
 *         return 0;
 *     }
 *     EDDY_GENERATOR(squares, int);                    // declares squares_next(), typed
 *
 *     EDDY_AUTO(eddy_gen) gen = EDDY_GEN(squares, .upto = 5);
 *     int square;
 *     while (squares_next(&gen, &square))
 *         printf("%d\n", square);
 *     return gen.status;
 *
 * A generator is a task. It runs when its reader asks for a value, until it yields one; so it is
 * never ahead of its reader. Where it waits between two values, for a socket or a timer, the
 * reader waits with it: the same lines are then an asynchronous iterator.
 *
 * It is a child of the scope that was innermost where it was made (of the root in plain code),
 * with a scope of its own inside that one. eddy_join() on that scope waits for it as for every
 * child: end it first.
 *
 * What holds, with the test that shows it (tests/task/generator_test.c, on every driver):
 *
 *  rule                                                        test
 *  ----------------------------------------------------------  -------------------------------
 *  Values come in order, then false, and status is 0           values_come_in_order
 *  It runs only when it is asked                               runs_only_when_asked
 *  Arguments and values are copied                             arguments_and_values_are_copied
 *  It may wait between two values                              waits_between_values
 *  It runs under the scope where it was made, not the reader's runs_under_its_own_scope
 *  A reader whose wait is cancelled leaves it running, and     cancelled_reader_loses_no_value
 *   its next value is kept
 *  Its scope's end ends it; a kept value is still read         its_scopes_end_ends_it
 *  Leaving early by break or return closes it                  left_early_it_is_closed
 *  Closing cancels it and waits; then yield fails at once      closing_cancels_and_waits
 *  It runs from its first line even if never asked             runs_from_its_first_line
 *  Its failure is its reader's: status, and no sibling hears   its_failure_belongs_to_its_reader
 *  What cannot be made says so in status                       what_cannot_be_made_says_so
 *  It may read from another one                                generators_nest
 *  Plain code may read; it turns the loop                      plain_code_may_read
 *  A long one does not starve the loop                         long_one_starves_nobody
 *  One reader at a time                                        one_reader_at_a_time
 */
#ifndef EDDY_GENERATOR_H
#define EDDY_GENERATOR_H

#include <eddy/common.h>
#include <eddy/error.h>
#include <eddy/task.h>

EDDY_BEGIN

/* What a reader holds; and what the generator's function is given to yield with. */
struct eddy_gen {
    size_t size;
    int status; /* after false: 0 at the end, or why there is no value */
    void *opaque[2];
};

/* What EDDY_GENERATOR() makes. */
struct eddy_gen_type {
    size_t size; /* of this struct */
    const char *name;
    int (*call)(struct eddy_gen *gen, void *args);
    size_t args_size;
    size_t value_size;
};

#ifndef __cplusplus

/* Make a typed trampoline, and fn##_next(), which reads a value of this type. */
#define EDDY_GENERATOR(fn, value_type)                                                             \
    static int fn##_call(struct eddy_gen *gen, void *args)                                         \
    {                                                                                              \
        return fn(gen, (struct fn##_args *)args);                                                  \
    }                                                                                              \
    static EDDY_UNUSED const struct eddy_gen_type fn##_gen = {                                     \
        sizeof(struct eddy_gen_type), #fn, fn##_call, sizeof(struct fn##_args), sizeof(value_type) \
    };                                                                                             \
    static inline EDDY_UNUSED bool fn##_next(struct eddy_gen *gen, value_type *ret_value)          \
    {                                                                                              \
        return eddy_gen_next(gen, &fn##_gen, ret_value);                                           \
    }                                                                                              \
    struct eddy_gen /* so that a semicolon may follow */

/* Make a generator. The arguments are a designated initialiser of fn##_args, copied. A value of
 * type struct eddy_gen, for EDDY_AUTO(eddy_gen). */
#define EDDY_GEN(fn, ...) eddy_gen(&fn##_gen, &(struct fn##_args){ __VA_ARGS__ }, EDDY_HERE)

#endif

/**
 * eddy_gen() - make a generator; EDDY_GEN() is the way to call it
 * @type: made by EDDY_GENERATOR(), static
 * @args: type->args_size bytes, copied
 * @site: where in the program: told by dumps and reports
 *
 * Does not suspend, and runs nothing of it yet. What the arguments own passes to it: when it is
 * closed without having been asked, it runs all the same, and its first wait or yield fails.
 *
 * Return: the generator, to be ended by eddy_gen_done(). If it could not be made, eddy_gen_next()
 * returns false, and ->status is:
 *   -ENOMEM    no memory, or no stack     -EINVAL   arguments or a value over 4 KiB
 *   -EDEADLK   in a callback
 * Source: Python's PEP 255 and PEP 525.   Since: 0.1
 */
EDDY_API struct eddy_gen eddy_gen(const struct eddy_gen_type *type, const void *args,
                                  struct eddy_site site);

/**
 * eddy_gen_next() - the next value; EDDY_GENERATOR(fn, type) makes fn##_next() of it
 * @gen:       one reader at a time
 * @type:      of this generator
 * @ret_value: type->value_size bytes, written only when true is returned
 *
 * Suspends until the generator yields or ends. Looks at its scope first. Cancelled: nothing
 * happened; the generator goes on, keeps the value it comes to, and gives it to the next call.
 *
 * Return: true with a value, and ->status is 0. False at the end, again and again; ->status is
 * what the function returned, or 0. Or false without an end, and ->status is:
 *   -ETIMEDOUT  the innermost deadline passed     -ECANCELED  an outer scope ended
 *   -EDEADLK    in a callback                     -EBUSY      somebody else is reading
 *   -EINVAL     another type's generator
 * Source: Python's __anext__.   Since: 0.1
 */
EDDY_API bool eddy_gen_next(struct eddy_gen *gen, const struct eddy_gen_type *type,
                            void *ret_value);

/**
 * eddy_gen_yield() - give the reader a value, and go on when it asks for the next
 * @gen:   what the generator's function was given; from its own task
 * @value: the type's value_size bytes, copied
 *
 * Suspends until the next value is asked for. Looks at its scope first: then, and if it was
 * closed, it fails and the value is not given. Cancelled while it waits: the value has been
 * given, or is kept for the reader; but one is kept at most. Where the deadline of a scope inside the
 * generator cuts two yields short before the reader comes, the second one's value is not taken.
 *
 * Return: 0 when the next value is asked for; or negative:
 *   -ECANCELED  the reader has closed it (every later call fails so, at once), or an outer scope
 *               ended, the one where it was made among them
 *   -ETIMEDOUT  the deadline of a scope inside the generator passed
 *   -EINVAL     from another task
 * Source: Python's yield.   Since: 0.1
 */
EDDY_API int eddy_gen_yield(struct eddy_gen *gen, const void *value);

/**
 * eddy_gen_done() - close a generator: cancel it, and wait until its function has returned
 * @gen: may have ended, may not have been made, may be done. Nobody reads from it
 *
 * Suspends while it still runs, and is not itself cancelled. In a callback it does not wait.
 * ->status stays as it was.
 *
 * Return: nothing.   Source: Python's aclose().   Since: 0.1
 */
EDDY_API void eddy_gen_done(struct eddy_gen *gen);

EDDY_END

#endif
