/*
 * Another library's connections in eddy's loop: libcurl says which sockets to watch and when to call
 * it again, and fetches all URLs at once, to standard output. Tasks go on beside it.
 *
 * pkg-config: libcurl
 *     build/bin/examples/libcurl http://127.0.0.1:8000/ http://127.0.0.1:8000/slow
 */
#include <curl/curl.h>
#include <eddy.h>
#include <stdint.h>
#include <stdio.h>

static CURLM *multi;
static struct eddy_alarm *timer;
static int running, failed;

static void act(curl_socket_t socket, int what)
{
    CURLMsg *message;
    int left;

    curl_multi_socket_action(multi, socket, what, &running);
    while ((message = curl_multi_info_read(multi, &left))) {
        CURL *easy = message->easy_handle;
        const char *url = "";
        long status = 0;

        curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        fprintf(stderr, "%s: %ld, %s\n", url, status, curl_easy_strerror(message->data.result));
        failed += message->data.result != CURLE_OK;
        curl_multi_remove_handle(multi, easy);
        curl_easy_cleanup(easy);
    }
}

static void on_ready(void *fd, unsigned events)
{
    int what = (events & EDDY_WRITABLE ? CURL_CSELECT_OUT : 0) |
               (events & ~(unsigned)EDDY_WRITABLE ? CURL_CSELECT_IN : 0);

    act((curl_socket_t)(intptr_t)fd, what);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *old)
{
    struct eddy_watch *watch = NULL;
    unsigned events = (what & CURL_POLL_IN ? EDDY_READABLE : 0) |
                      (what & CURL_POLL_OUT ? EDDY_WRITABLE : 0);

    (void)easy, (void)ctx;
    eddy_watch_free(old);
    if (what != CURL_POLL_REMOVE &&
        eddy_watch_new(fd, events, on_ready, (void *)(intptr_t)fd, &watch) < 0)
        return -1;
    curl_multi_assign(multi, fd, watch);
    return 0;
}

static int on_timer(CURLM *m, long ms, void *ctx)
{
    (void)m, (void)ctx;
    if (ms < 0)
        eddy_alarm_stop(timer);
    else
        eddy_alarm_start(timer, ms);
    return 0;
}

static void on_time(void *ctx)
{
    (void)ctx;
    act(CURL_SOCKET_TIMEOUT, 0);
}

int main(int argc, char **argv)
{
    if (argc < 2 || eddy_alarm_new(on_time, NULL, &timer) < 0) {
        fprintf(stderr, "usage: libcurl URL...\n");
        return 2;
    }
    multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    for (int i = 1; i < argc; i++) {
        CURL *easy = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_URL, argv[i]);
        curl_multi_add_handle(multi, easy);
        running++;
    }
    while (running && eddy_loop_turn(eddy_loop_current(), -1) >= 0)
        ;
    curl_multi_cleanup(multi);
    eddy_alarm_free(timer);
    return failed > 0;
}
