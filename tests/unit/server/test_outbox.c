/* The webhook against a receiver on loopback that this test is itself. */
#include "server_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

typedef struct receiver {
    int listener, port;
    pthread_t thread;
    atomic_int n, status; /* what to answer */
    pthread_mutex_t lock;
    char body[8192]; /* the latest */
} receiver;

static size_t body_bytes(const char *request)
{
    const char *length = strcasestr(request, "Content-Length:");
    return length ? strtoul(length + 15, NULL, 10) : 0;
}

static void serve_one(receiver *rx, int fd)
{
    char request[16384], answer[128];
    size_t n = 0;
    const char *body = NULL;

    while (n < sizeof request - 1) {
        ssize_t k = recv(fd, request + n, sizeof request - 1 - n, 0);
        if (k <= 0)
            break;
        n += (size_t)k;
        request[n] = '\0';
        body = strstr(request, "\r\n\r\n");
        if (body && n >= (size_t)(body + 4 - request) + body_bytes(request))
            break;
    }
    if (body) {
        pthread_mutex_lock(&rx->lock);
        snprintf(rx->body, sizeof rx->body, "%s", body + 4);
        pthread_mutex_unlock(&rx->lock);
        atomic_fetch_add(&rx->n, 1);
        n = (size_t)snprintf(answer, sizeof answer, "HTTP/1.1 %d x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                             atomic_load(&rx->status));
        (void)!send(fd, answer, n, MSG_NOSIGNAL);
    }
    close(fd);
}

static void *serve(void *context)
{
    receiver *rx = context;
    int fd;

    while ((fd = accept(rx->listener, NULL, NULL)) >= 0)
        serve_one(rx, fd);
    return NULL;
}

static void receiver_listen(receiver *rx, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t n = sizeof a;
    int one = 1;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    rx->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(rx->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(rx->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(rx->listener, 16), 0);
    assert_int_equal(getsockname(rx->listener, (struct sockaddr *)&a, &n), 0);
    rx->port = ntohs(a.sin_port);
}

static void receiver_start(receiver *rx, int port)
{
    pthread_mutex_init(&rx->lock, NULL);
    atomic_store(&rx->status, 204);
    receiver_listen(rx, port);
    assert_int_equal(pthread_create(&rx->thread, NULL, serve, rx), 0);
}

static void receiver_stop(receiver *rx)
{
    shutdown(rx->listener, SHUT_RDWR);
    pthread_join(rx->thread, NULL);
    close(rx->listener);
    pthread_mutex_destroy(&rx->lock);
}

static void raise_alert(fixture *f, fixture_stream *s, int64_t t_ms, uint32_t serial, const char *parent)
{
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;

    fixture_event(&events, HOST, t_ms, serial, "/usr/bin/id", "evil", parent);
    fixture_batch(s, xt_buf_slice(&events), 1, &payload);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&payload)), 0);
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
}

static void one_call_an_alert(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    receiver rx = {0};
    char url[64];

    receiver_start(&rx, 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/hook", rx.port);
    f->settings.webhook = url;
    fixture_open(f);
    raise_alert(f, &s, T0, 1, "/usr/bin/php");
    assert_true(fixture_until(&rx.n, 1));
    raise_alert(f, &s, T0 + 1, 2, "/usr/bin/php"); /* folded: no call */
    raise_alert(f, &s, T0 + 2, 3, "/usr/sbin/nginx");
    assert_true(fixture_until(&rx.n, 2));
    usleep(200000);
    assert_int_equal(atomic_load(&rx.n), 2);
    pthread_mutex_lock(&rx.lock);
    assert_non_null(strstr(rx.body, "\"text\":\"[high] Evil in the arguments on web-1: www-data: /usr/bin/id evil\""));
    assert_non_null(strstr(rx.body, "\"id\":2"));
    assert_non_null(strstr(rx.body, "\"event\":{"));
    pthread_mutex_unlock(&rx.lock);
    fixture_close(f);
    receiver_stop(&rx);
}

/* Nobody there, then a server that says no, then one that takes it: over two starts. */
static void kept_until_it_is_taken(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    receiver rx = {0};
    char url[64];

    receiver_listen(&rx, 0);
    close(rx.listener);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/hook", rx.port);
    f->settings.webhook = url;
    fixture_open(f);
    raise_alert(f, &s, T0, 1, "/usr/bin/php");
    usleep(300000);
    fixture_close(f);
    receiver_start(&rx, rx.port);
    atomic_store(&rx.status, 503);
    atomic_fetch_add(&fixture_now, 5000);
    fixture_open(f);
    assert_true(fixture_until(&rx.n, 1));
    usleep(100000);
    fixture_close(f);
    atomic_store(&rx.status, 200);
    atomic_fetch_add(&fixture_now, 60000);
    fixture_open(f);
    assert_true(fixture_until(&rx.n, 2));
    usleep(100000);
    fixture_close(f);
    atomic_fetch_add(&fixture_now, 600000);
    fixture_open(f);
    usleep(300000);
    assert_int_equal(atomic_load(&rx.n), 2); /* and not again */
    fixture_close(f);
    receiver_stop(&rx);
}

static void a_webhook_is_an_address(void **state)
{
    fixture *f = *state;
    xt_problem problem = XT_PROBLEM_INIT;

    f->settings.webhook = "file:///etc/passwd";
    assert_true(xt_app_open(&f->settings, &f->app, &problem) < 0);
    assert_non_null(strstr(problem.sentence, "http"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_call_an_alert),
        TEST(kept_until_it_is_taken),
        TEST(a_webhook_is_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
