/*
 * The examples that do what a user does every day, each against what it is made for: other programs,
 * terminals, a real name server, a real mail server.
 *
 * backends: select epoll uring
 * timeout: 120
 */
#include "check.h"
#include "support/program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *example(const char *name)
{
    static char path[4][512];
    static unsigned which;
    char *to = path[which++ % 4];

    (void)snprintf(to, sizeof path[0], "%s/examples/%s", EDDY_BIN_DIR, name);
    return to;
}

static void stop(struct program *p)
{
    kill(p->pid, SIGINT);
    EDDY_CHECK(program_end(p));
    EDDY_CHECK_EQ(p->exit, 128 + SIGINT);
}

static void type(const struct program *p, const char *text)
{
    EDDY_CHECK_EQ(write(p->fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void append(const char *file, const char *text)
{
    FILE *f = fopen(file, "a");

    if (!EDDY_CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0))
        abort();
}

EDDY_TEST(chat)
{
    struct program server, ada, bob;
    char address[64] = "";

    if (!EDDY_CHECK(program_start(&server, false, PROGRAM_ARGV(example("chat"), "127.0.0.1:0"))) ||
        !EDDY_CHECK(program_await(&server, "\n")) ||
        !EDDY_CHECK_EQ(sscanf(server.text, "chat at %63s", address), 1))
        return;
    const char *client = example("chat_client");
    EDDY_CHECK(program_start(&ada, true, PROGRAM_ARGV(client, address, "Ada")));
    EDDY_CHECK(program_start(&bob, true, PROGRAM_ARGV(client, address, "Bob")));
    type(&bob, "is anybody here?\n"); /* both are in when each has heard the other */
    EDDY_CHECK(program_await(&bob, "Bob: is anybody here?"));
    type(&ada, "hello\n");
    EDDY_CHECK(program_await(&ada, "Ada: hello"));
    EDDY_CHECK(program_await(&bob, "Ada: hello"));
    type(&bob, "bye\n");
    EDDY_CHECK(program_await(&ada, "Bob: bye"));
    type(&bob, "\4"); /* Ctrl-D */
    EDDY_CHECK(program_end(&bob));
    EDDY_CHECK_EQ(bob.exit, 0);
    type(&ada, "alone\n");
    EDDY_CHECK(program_await(&ada, "Ada: alone"));
    stop(&server);
    EDDY_CHECK(program_await(&ada, "the server has gone"));
    EDDY_CHECK(program_end(&ada));
    EDDY_CHECK_EQ(ada.exit, 1);
}

EDDY_TEST(tail)
{
    struct program p;

    append("tail-a", "first\n");
    append("tail-b", "other\n");
    if (!EDDY_CHECK(program_start(&p, false,
                                  PROGRAM_ARGV(example("tail"), "tail-a", "tail-b", "tail-none"))))
        return;
    EDDY_CHECK(program_await(&p, "==> tail-a\nfirst\n"));
    EDDY_CHECK(program_await(&p, "==> tail-b\nother\n"));
    EDDY_CHECK(program_await(&p, "tail: tail-none: No such file or directory\n"));
    append("tail-b", "more\n");
    EDDY_CHECK(program_await(&p, "==> tail-b\nmore\n"));
    append("tail-a", "second\n");
    EDDY_CHECK(program_await(&p, "==> tail-a\nsecond\n"));
    EDDY_CHECK_EQ(truncate("tail-a", 0), 0);
    EDDY_CHECK(program_await(&p, "tail-a: was cut short\n"));
    append("tail-a", "anew\n");
    EDDY_CHECK(program_await(&p, "==> tail-a\nanew\n"));
    stop(&p);
    (void)unlink("tail-a");
    (void)unlink("tail-b");
}

EDDY_TEST(wget)
{
    static const char eddy[] = EDDY_BIN_DIR "/eddy";
    struct program server, p;
    char here[64], missing[96];

    program_bin = eddy;
    if (!EDDY_CHECK(program_start(
            &server, false,
            PROGRAM_ARGV("eddy", "run", "--port", "0", EDDY_TESTS_DIR "/../examples/hello.c"))) ||
        !EDDY_CHECK(program_await(&server, "http://127.0.0.1:")) ||
        !EDDY_CHECK(program_await(&server, "\n")))
        return;
    (void)snprintf(here, sizeof here, "http://127.0.0.1:%d/", program_port(&server));
    (void)snprintf(missing, sizeof missing, "%snone", here);
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV(example("wget"), here)), 0);
    EDDY_CHECK(strncmp(p.text, "index.html: 25 bytes in ", 24) == 0);
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("/bin/cat", "index.html")), 0);
    EDDY_CHECK_STR(p.text, "Hello from a small eddy.\n");
    EDDY_CHECK_EQ(
        program_run(&p, PROGRAM_ARGV(example("wget"), missing, here, "http://127.0.0.1:1/x")), 1);
    EDDY_CHECK(strstr(p.text, "/none: status 404\n") != NULL);
    EDDY_CHECK(strstr(p.text, "http://127.0.0.1:1/x: cannot connect") != NULL);
    EDDY_CHECK(strstr(p.text, "index.html: 25 bytes") != NULL);
    EDDY_CHECK(access("none", F_OK) < 0 && access("x", F_OK) < 0);
    (void)unlink("index.html");
    kill(server.pid, SIGINT);
    EDDY_CHECK(program_end(&server));
}

/* A port for UDP and TCP that nobody has now. */
static unsigned free_port(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(s, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(s, (struct sockaddr *)&at, &len) < 0)
        abort();
    close(s);
    return ntohs(at.sin_port);
}

EDDY_TEST(names)
{
    struct program server, p;
    char command[1024], servers[64];
    unsigned port = free_port();

    (void)snprintf(command, sizeof command,
                   "PATH=$PATH:/usr/sbin; exec dnsmasq --keep-in-foreground --port=%u "
                   "--listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts "
                   "--conf-file=/dev/null --pid-file --user= --group= --log-facility=- "
                   "--local=/test/ --host-record=a.test,192.0.2.1 --host-record=b.test,192.0.2.2 "
                   "--mx-host=test,mail.test,10",
                   port);
    if (!EDDY_CHECK(program_start(&server, false, PROGRAM_ARGV("/bin/sh", "-c", command))))
        return;
    if (!EDDY_CHECK(program_await(&server, "started"))) {
        EDDY_CHECK_FAIL("dnsmasq did not start (scripts/deps --test): %.300s", server.text);
    } else {
        (void)snprintf(servers, sizeof servers, "127.0.0.1:%u", port);
        setenv("EDDY_NAMESERVERS", servers, 1);
        (void)snprintf(command, sizeof command,
                       "printf 'b.test\\nnone.test\\n127.0.0.1\\n\\na.test\\ntest mx\\n' | %s",
                       example("names"));
        if (program_run(&p, PROGRAM_ARGV("/bin/sh", "-c", command)) != 0)
            EDDY_CHECK_FAIL("names failed: %.2000s", p.text);
        EDDY_CHECK(strstr(p.text, "b.test: 192.0.2.2\nnone.test: ?\n127.0.0.1: 127.0.0.1\n"
                                  "a.test: 192.0.2.1\ntest mx: mail.test\n") != NULL);
        EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV(example("names"), "a.test")), 0);
        EDDY_CHECK_STR(p.text, "a.test: 192.0.2.1\n");
        unsetenv("EDDY_NAMESERVERS");
    }
    kill(server.pid, SIGTERM);
    EDDY_CHECK(program_end(&server));
}

EDDY_TEST(supervise)
{
    struct program p;
    int grandchild = 0;

    if (!EDDY_CHECK(program_start(&p, false,
                                  PROGRAM_ARGV(example("supervise"), "echo up; exit 3",
                                               "sleep 1000 & echo grandchild $!; wait"))))
        return;
    EDDY_CHECK(program_await(&p, "1| up\n"));
    EDDY_CHECK(program_await(&p, "1: exited with 3\n1| up\n1: exited with 3\n")); /* again */
    EDDY_CHECK(program_await(&p, "2| grandchild "));
    const char *at = strstr(p.text, "grandchild ");
    EDDY_CHECK(at && sscanf(at, "grandchild %d\n", &grandchild) == 1 && grandchild > 1);
    EDDY_CHECK_EQ(kill(grandchild, 0), 0);
    kill(p.pid, SIGTERM);
    EDDY_CHECK(program_end(&p));
    EDDY_CHECK_EQ(p.exit, 0);
    EDDY_CHECK(strstr(p.text, "all ended\n") != NULL);
    EDDY_CHECK(kill(grandchild, 0) < 0 && errno == ESRCH);
}

static const char exim[] =
    "set -e; cd \"$1\"; PATH=$PATH:/usr/sbin; umask 022\n"
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 "
    "-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null\n"
    "mkdir spool; chown Debian-exim . spool key.pem; chmod 755 .; cat >conf <<END\n"
    "spool_directory = $1/spool\n"
    "log_file_path = $1/%slog\n"
    "pid_file_path = $1/pid\n"
    "primary_hostname = localhost\n"
    "tls_advertise_hosts = *\n"
    "tls_certificate = $1/cert.pem\n"
    "tls_privatekey = $1/key.pem\n"
    "acl_smtp_mail = mail\n"
    "acl_smtp_rcpt = rcpt\n"
    "acl_smtp_data = data\n"
    "begin acl\n"
    "mail:\n"
    "  deny message = STARTTLS first\n"
    "       condition = \\${if eq{\\$tls_in_cipher}{}}\n"
    "  accept\n"
    "rcpt:\n"
    "  deny message = nobody of that name\n"
    "       condition = \\${if eq{\\$local_part}{nobody}}\n"
    "  accept\n"
    "data:\n"
    "  accept\n"
    "begin routers\n"
    "all:\n"
    "  driver = accept\n"
    "  transport = box\n"
    "begin transports\n"
    "box:\n"
    "  driver = appendfile\n"
    "  file = $1/box\n"
    "  user = Debian-exim\n"
    "END\n"
    "exec exim4 -C \"$1/conf\" -bdf  -oX 127.0.0.1.$2";

/* exim says nothing when it is ready, and delivers in its own time: tried until it is so, or @command
 * has been tried for 20 s. */
static bool until(const char *command, const char *argument)
{
    struct program p;
    char text[512];

    (void)snprintf(text, sizeof text,
                   "i=0; until %s; do i=$((i + 1)); [ $i -lt 400 ] || exit 1; sleep 0.05; done",
                   command);
    return program_run(&p, PROGRAM_ARGV("/bin/sh", "-c", text, "sh", argument)) == 0;
}

static int send_mail(struct program *p, const char *port, const char *to, const char *ca)
{
    char command[1024];

    (void)snprintf(command, sizeof command,
                   "printf 'Subject: a test\\n\\nhello\\n.dot\\n..\\n' | "
                   "%s localhost:%s '<ada@localhost>' '%s' %s",
                   example("mail"), port, to, ca);
    return program_run(p, PROGRAM_ARGV("/bin/sh", "-c", command));
}

static void send_some(const char *folder, const char *port)
{
    char ca[64], box[64];
    struct program p;

    (void)snprintf(ca, sizeof ca, "%s/cert.pem", folder);
    (void)snprintf(box, sizeof box, "%s/box", folder);
    EDDY_CHECK_EQ(send_mail(&p, port, "<bob@localhost>", ca), 0);
    if (EDDY_CHECK(until("grep -q '^hello' \"$1\" 2>/dev/null", box))) {
        EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("/bin/cat", box)), 0);
        EDDY_CHECK(strstr(p.text, "with esmtps") != NULL);
        EDDY_CHECK(strstr(p.text, "Subject: a test\n\nhello\n.dot\n..\n") != NULL);
    }
    /* One it does not take, and a certificate that nobody has signed. */
    EDDY_CHECK_EQ(send_mail(&p, port, "<nobody@localhost>", ca), 1);
    EDDY_CHECK(strstr(p.text, "\"RCPT TO:\" was answered: 550 nobody of that name\n") != NULL);
    EDDY_CHECK_EQ(send_mail(&p, port, "<bob@localhost>", ""), 1);
    EDDY_CHECK(strstr(p.text, "mail: not sent: the certificate of localhost is self-signed") !=
               NULL);
}

EDDY_TEST(mail)
{
    char folder[] = "/tmp/eddy-mail-XXXXXX", port[16];
    struct program server, p;

    if (geteuid() != 0) {
        EDDY_CHECK_NOT_RUN("exim takes a configuration of the test's from root only");
        return;
    }
    (void)snprintf(port, sizeof port, "%u", free_port());
    if (!EDDY_CHECK(mkdtemp(folder) != NULL) ||
        !EDDY_CHECK(
            program_start(&server, false, PROGRAM_ARGV("/bin/sh", "-c", exim, "sh", folder, port))))
        return;
    if (EDDY_CHECK(until("bash -c \"exec 3<>/dev/tcp/127.0.0.1/$1\" 2>/dev/null", port)))
        send_some(folder, port);
    kill(server.pid, SIGTERM);
    EDDY_CHECK(program_end(&server));
    EDDY_CHECK_EQ(program_run(&p, PROGRAM_ARGV("/bin/rm", "-rf", folder)), 0);
}
