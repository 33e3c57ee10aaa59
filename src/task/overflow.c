/*
 * task/overflow.c - a stack overflow named: which task, how large its stack was
 *
 * The handler runs on a signal stack of this thread, because the task's has no room. It only
 * writes a line when the fault lies in the guard of the running task, then goes on to what stood
 * there before: a debugger's or a sanitizer's handler, or the default, which ends the program.
 */
#include "task/task.h"

#include "base/memory.h"
#include "base/sys.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIGNAL_STACK ((size_t)64 * 1024)

static struct sigaction before_segv, before_bus;
static bool installed;

/* snprintf() is not promised to be safe here; this is. */
static size_t put(char *line, size_t at, size_t cap, const char *text)
{
    while (*text && at < cap)
        line[at++] = *text++;
    return at;
}

static size_t put_number(char *line, size_t at, size_t cap, size_t number)
{
    char digits[24];
    size_t i = sizeof digits;

    digits[--i] = '\0';
    do
        digits[--i] = (char)('0' + number % 10);
    while ((number /= 10));
    return put(line, at, cap, digits + i);
}

static void say(const struct eddy_task *t)
{
    char line[512];
    const size_t cap = sizeof line;
    size_t len = put(line, 0, cap, "eddy: task ");

    len = put(line, len, cap, eddy_task_name_of(t));
    len = put(line, len, cap, " overflowed its stack of ");
    len = put_number(line, len, cap, eddy_task_stack(t)->class->usable / 1024);
    len = put(line, len, cap, " KiB");
    if (t->site.file) {
        len = put(line, len, cap, " (spawned at ");
        len = put(line, len, cap, t->site.file);
        len = put(line, len, cap, ":");
        len = put_number(line, len, cap, (size_t)t->site.line);
        len = put(line, len, cap, ")");
    }
    len = put(line, len, cap,
              "; move large local arrays to an arena, ask for more with .stack_bytes, or run deep "
              "recursion through eddy_call_deep()\n");
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored;
}

static void name_it(const void *address)
{
    struct eddy_loop *loop = eddy__loop();
    struct eddy_task *t = loop ? loop->current : NULL;
    const char *at = address;

    if (!t)
        return;
    const char *low = eddy_stack_low(eddy_task_stack(t));
    if (at < low && at >= low - eddy_task_stack(t)->class->guard)
        say(t);
}

void eddy_overflow_found(struct eddy_stack *s)
{
    /* What lies below is another task's stack. */
    say(eddy_task_on(s));
    abort();
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    struct sigaction *before = signo == SIGSEGV ? &before_segv : &before_bus;

    name_it(info->si_addr);
    if (before->sa_flags & SA_SIGINFO) {
        before->sa_sigaction(signo, info, context);
    } else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN) {
        before->sa_handler(signo);
    } else {
        /* Returning repeats the fault, now with the default action. */
        eddy__sys.sigaction(signo, before, NULL);
    }
}

int eddy_overflow_report(void)
{
    static _Thread_local char *signal_stack;
    stack_t old;

    if (!signal_stack && sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE)) {
        /* For the life of the thread: a signal may come at any time. */
        signal_stack = eddy__sys.mmap(SIGNAL_STACK);
        if (!signal_stack)
            return -ENOMEM;
        stack_t stack = { .ss_sp = signal_stack, .ss_size = SIGNAL_STACK };
        if (sigaltstack(&stack, NULL) < 0)
            return -errno;
    }
    if (installed)
        return 0;
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    int r = eddy__sys.sigaction(SIGSEGV, &action, &before_segv);
    if (r == 0)
        r = eddy__sys.sigaction(SIGBUS, &action, &before_bus);
    installed = r == 0;
    return r;
}
