/* pkg-config: eddy. A frame larger than the guard below a task's stack hits it all the same. */
#include <eddy/task.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct large_args {
    size_t bytes;
};

static int large(struct large_args *a)
{
    volatile char locals[a->bytes];

    memset((char *)locals, 1, 4096); /* the far end, as a read into it would */
    return locals[77] - 1;
}
EDDY_TASK(large);

static int run(void)
{
    const struct rlimit none = { 0, 0 };

    setrlimit(RLIMIT_CORE, &none);
    EDDY_SCOPE(s, .timeout_ms = 5000);
    for (int i = 0; i < 9; i++) /* the one in the middle has neighbours on both sides */
        EDDY_GO(&s, large, .bytes = i == 4 ? 300000 : 8000);
    return eddy_join(&s);
}

int main(void)
{
    int status = 0;

    pid_t child = fork();
    if (child == 0)
        _exit(run() == 0 ? 0 : 1);
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return 1;
    if (!WIFSIGNALED(status) || (WTERMSIG(status) != SIGSEGV && WTERMSIG(status) != SIGBUS)) {
        fprintf(stderr, "it went on, in another task's stack: status %d\n", status);
        return 1;
    }
    return 0;
}
