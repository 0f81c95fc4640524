/* The HTTP door with handlers of the test's own, asked by a raw client. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "io/http/http_server.h"
#include "io/tls.h"
#include "loop_fixture.h"

#define BIG_BYTES (8u << 20)

typedef struct scene {
    loop loop;
    xt_http_server *server;
    int port;
    char unix_path[64];
    atomic_int n_cancelled, n_broken_pipes, n_running;
    atomic_size_t n_written;
    atomic_int n_asked, n_handled;
} scene;

#define BODIES_BYTES (1u << 20) /* of all connections together */

static const char tcp_door = 't', unix_door = 'u';

static void answer(xt_http_exchange *exchange, const char *text)
{
    char length[64];
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(text));
    assert_int_equal(xt_http_begin(exchange, 200, "text/plain", length), 0);
    (void)!xt_http_write(exchange, xt_slice_str(text));
    (void)!xt_http_end(exchange);
}

static void answer_echo(xt_http_exchange *exchange)
{
    char piece[1000];
    ssize_t n;
    int r = xt_http_begin(exchange, 200, "text/plain", NULL);
    while (r == 0 && (n = xt_http_read(exchange, piece, sizeof piece)) > 0)
        r = xt_http_write(exchange, xt_slice_of(piece, (size_t)n));
    assert_int_equal(xt_http_end_with(exchange, "X-Sum: 1\r\n"), 0);
}

static void answer_big(scene *s, xt_http_exchange *exchange)
{
    static char piece[65536];
    int r = xt_http_begin(exchange, 200, "text/plain", NULL);
    for (size_t n = 0; r == 0 && n < BIG_BYTES; n += sizeof piece) {
        r = xt_http_write(exchange, xt_slice_of(piece, sizeof piece));
        if (r == 0)
            atomic_fetch_add(&s->n_written, sizeof piece);
    }
    if (r == -EPIPE)
        atomic_fetch_add(&s->n_broken_pipes, 1);
    else
        (void)!xt_http_end(exchange);
}

static void wait_for_cancel(scene *s, xt_http_exchange *exchange)
{
    atomic_fetch_add(&s->n_running, 1);
    while (!atomic_load(xt_http_cancelled(exchange)))
        usleep(1000);
    atomic_fetch_add(&s->n_cancelled, 1);
}

static void stream_ticks(scene *s, xt_http_exchange *exchange)
{
    int r = xt_http_begin(exchange, 200, "text/event-stream", NULL);
    atomic_fetch_add(&s->n_running, 1);
    while (r == 0) {
        r = xt_http_write(exchange, XT_S("tick\n"));
        usleep(2000);
    }
    assert_int_equal(r, -EPIPE);
    atomic_fetch_add(&s->n_cancelled, 1);
}

static void handle(void *context, xt_http_exchange *exchange)
{
    scene *s = context;
    xt_slice path = xt_http_path(exchange);
    atomic_fetch_add(&s->n_handled, 1);
    if (xt_slice_eq(path, XT_S("/hello")))
        answer(exchange, "hello");
    else if (xt_slice_eq(path, XT_S("/door")))
        answer(exchange, xt_http_door(exchange) == &tcp_door ? "tcp" : "unix");
    else if (xt_slice_eq(path, XT_S("/echo")))
        answer_echo(exchange);
    else if (xt_slice_eq(path, XT_S("/big")))
        answer_big(s, exchange);
    else if (xt_slice_eq(path, XT_S("/wait")))
        wait_for_cancel(s, exchange);
    else if (xt_slice_eq(path, XT_S("/stream")))
        stream_ticks(s, exchange);
    else if (xt_slice_eq(path, XT_S("/half")) && xt_http_begin(exchange, 200, NULL, NULL) == 0)
        (void)!xt_http_write(exchange, XT_S("half"));
}

/* Bodies of /echo and /keep may come. */
static bool admit(void *context, xt_http_exchange *exchange)
{
    scene *s = context;
    char byte;
    atomic_fetch_add(&s->n_asked, 1);
    assert_int_equal(xt_http_read(exchange, &byte, 1), 0); /* none of it is there */
    if (xt_slice_eq(xt_http_path(exchange), XT_S("/echo")) || xt_slice_eq(xt_http_path(exchange), XT_S("/keep")))
        return true;
    if (xt_slice_eq(xt_http_path(exchange), XT_S("/stranger")))
        answer(exchange, "no");
    return false;
}

static bool is_stream(void *context, const xt_http_exchange *exchange)
{
    (void)context;
    return xt_slice_eq(xt_http_path(exchange), XT_S("/stream"));
}

static int set_up(void **state)
{
    static scene s;
    xt_problem problem = XT_PROBLEM_INIT;
    const xt_http_settings settings = {.handle = handle,
                                       .admit = admit,
                                       .is_stream = is_stream,
                                       .context = &s,
                                       .fixed_headers = "X-Fixed: yes\r\n",
                                       .n_workers = 2,
                                       .max_bodies_bytes = BODIES_BYTES};
    s = (scene){.port = 0};
    loop_init(&s.loop);
    assert_int_equal(xt_http_server_new(s.loop.base, &settings, &s.server), 0);
    assert_int_equal(xt_http_server_listen(s.server, "127.0.0.1:0", NULL, &tcp_door, &s.port, &problem), 0);
    snprintf(s.unix_path, sizeof s.unix_path, "/tmp/exectrail-test-%d.sock", (int)getpid());
    assert_int_equal(xt_http_server_listen_unix(s.server, s.unix_path, &unix_door, &problem), 0);
    loop_start(&s.loop);
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    scene *s = *state;
    loop_stop(&s->loop);
    s->server = xt_http_server_close(s->server);
    assert_int_not_equal(access(s->unix_path, F_OK), 0);
    loop_fini(&s->loop);
    return 0;
}

static bool reaches(atomic_int *n, int wanted)
{
    for (int i = 0; i < 20000 && atomic_load(n) < wanted; i++)
        usleep(1000);
    return atomic_load(n) >= wanted;
}

static void test_pipelining(void **state)
{
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    int fd = client_tcp(s->port);
    client_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                    "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                    "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_false(client_read(fd, &out, NULL, 0));
    close(fd);
    const char *const in_order[] = {"200 OK",
                                    "X-Fixed: yes",
                                    "\r\n\r\nhelloHTTP/1.1 200 OK",
                                    "chunked",
                                    "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
                                    "Content-Length: 5\r\n\r\nHTTP/1.1 200 OK",
                                    "Connection: close\r\n\r\nhello"};
    xt_slice rest = xt_buf_slice(&out);
    for (size_t i = 0; i < XT_COUNT_OF(in_order); i++) {
        ptrdiff_t at = xt_slice_find(rest, xt_slice_str(in_order[i]));
        if (at < 0)
            print_message("missing: %s in %.*s\n", in_order[i], XT_S_ARGS(xt_buf_slice(&out)));
        assert_true(at >= 0);
        rest = xt_slice_skip(rest, (size_t)at);
    }
    assert_true(xt_slice_ends(rest, XT_S("\r\n\r\nhello")));
}

static void test_pieces(void **state)
{
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    const char *text = "\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                       "5;ext=1\r\nhello\r\n1\r\n,\r\n000006\r\n world\r\n0\r\nTrailer: x\r\n\r\n";
    int fd = client_tcp(s->port);
    for (size_t i = 0; text[i]; i++) { /* each byte alone */
        assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        if (i % 16 == 0)
            usleep(300);
    }
    client_read(fd, &out, NULL, 0);
    close(fd);
    assert_true(has(&out, "c\r\nhello, world\r\n0\r\n"));
}

static void test_refusals(void **state)
{
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT, long_head = XT_BUF_INIT;
    assert_int_equal(client_ask(client_tcp(s->port), "GET / HTTP/3\r\n\r\n", &out), 505);
    assert_true(has(&out, "X-Fixed: yes") && has(&out, "Connection: close") && has(&out, "{\"error\":{\"sentence\":"));
    assert_int_equal(client_ask(client_tcp(s->port), "nonsense\r\n\r\n", &out), 400);
    assert_int_equal(client_ask(client_tcp(s->port), "POST /echo HTTP/1.1\r\nContent-Length: 33554433\r\n\r\n", &out),
                     413);
    assert_int_equal(
        client_ask(client_tcp(s->port), "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", &out), 400);
    assert_int_equal(
        client_ask(client_tcp(s->port), "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcde", &out),
        400);
    assert_int_equal(
        client_ask(client_tcp(s->port), "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3000000\r\n", &out),
        413);
    xt_buf_puts(&long_head, "GET /hello HTTP/1.1\r\nA: ");
    for (int i = 0; i < 66000; i++)
        xt_buf_putc(&long_head, 'a');
    xt_buf_putc(&long_head, '\0');
    assert_int_equal(client_ask(client_tcp(s->port), long_head.p, &out), 431);
    assert_int_equal(client_ask(client_tcp(s->port), "GET /none HTTP/1.1\r\nConnection: close\r\n\r\n", &out), 500);
    client_ask(client_tcp(s->port), "GET /half HTTP/1.1\r\nConnection: close\r\n\r\n", &out);
    assert_false(xt_slice_ends(xt_buf_slice(&out), XT_S("0\r\n\r\n"))); /* cut, and seen to be cut */
}

static void test_old_client(void **state)
{
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    assert_int_equal(client_ask(client_tcp(s->port), "POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", &out), 200);
    assert_false(has(&out, "chunked"));
    assert_true(xt_slice_ends(xt_buf_slice(&out), XT_S("\r\n\r\nhi")));
}

static void test_expect_continue(void **state)
{
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    int fd = client_tcp(s->port);
    client_send(fd, "POST /echo HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    assert_true(client_read(fd, &out, "HTTP/1.1 100 Continue\r\n\r\n", 1));
    client_send(fd, "hi");
    client_read(fd, &out, NULL, 0);
    close(fd);
    assert_true(has(&out, "2\r\nhi\r\n"));
}

/* A large body: asked for once, taken after that, in whatever way its length is told. */
static void test_bodies_admitted(void **state)
{
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT, big = XT_BUF_INIT;
    for (size_t i = 0; i < 100000; i++)
        xt_buf_putc(&big, (char)('a' + i % 26));
    int fd = client_tcp(s->port);
    xt_buf_printf(&out, "POST /echo HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%.*s", big.n, XT_S_ARGS(xt_buf_slice(&big)));
    xt_buf_printf(&out, "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%.*s\r\n0\r\n\r\n", big.n,
                  XT_S_ARGS(xt_buf_slice(&big)));
    xt_buf_puts(&out, "POST /echo HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
    xt_buf_putc(&out, '\0');
    client_send(fd, out.p);
    xt_buf_reset(&out);
    client_read(fd, &out, NULL, 0);
    close(fd);
    assert_int_equal(atomic_load(&s->n_asked), 2);
    assert_int_equal(atomic_load(&s->n_handled), 3);
    assert_true(out.n > 2 * big.n && has(&out, "3\r\nabc\r\n"));
    fd = client_tcp(s->port);
    xt_buf_reset(&out);
    client_send(fd,
                "POST /echo HTTP/1.1\r\nContent-Length: 100000\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    assert_true(client_read(fd, &out, "HTTP/1.1 100 Continue\r\n\r\n", 1));
    assert_int_equal(send(fd, big.p, big.n, MSG_NOSIGNAL), big.n);
    client_read(fd, &out, NULL, 0);
    close(fd);
    assert_true(out.n > big.n);
}

/* Not admitted: answered before the body comes, and even if all of it comes none of it is handled. */
static void test_bodies_refused(void **state)
{
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    static char piece[100000];
    int fd = client_tcp(s->port);
    client_send(fd, "POST /stranger HTTP/1.1\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n");
    assert_true(client_read(fd, &out, "\r\n\r\nno", 1));
    assert_false(has(&out, "100 Continue"));
    assert_true(has(&out, "Connection: close"));
    close(fd);
    xt_buf_reset(&out);
    fd = client_tcp(s->port);
    client_send(fd, "POST /stranger HTTP/1.1\r\nContent-Length: 100000\r\n\r\n");
    assert_int_equal(send(fd, piece, sizeof piece, MSG_NOSIGNAL), sizeof piece);
    client_read(fd, &out, NULL, 0);
    close(fd);
    assert_true(has(&out, "\r\n\r\nno"));
    assert_int_equal(client_ask(client_tcp(s->port), "POST /nothing HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", &out),
                     500);
    assert_int_equal(atomic_load(&s->n_asked), 3);
    assert_int_equal(atomic_load(&s->n_handled), 0);
    assert_int_equal(client_ask(client_tcp(s->port), "POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", &out), 200);
    assert_int_equal(atomic_load(&s->n_asked), 3); /* a small body comes unasked */
}

/* All bodies together are bounded; what is let go makes room again; who owns the machine is not counted. */
static void test_bodies_bounded(void **state)
{
    static char half[BODIES_BYTES / 2];
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    int first = client_tcp(s->port), second = client_tcp(s->port);
    client_send(first, "POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
    assert_true(client_read(first, &out, "100 Continue", 1));
    assert_int_equal(send(first, half, sizeof half, MSG_NOSIGNAL), sizeof half);
    /* announced when there was room for it, and more than there is when it comes */
    client_send(second, "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
    assert_true(client_read(second, &out, "100 Continue", 2));
    client_send(second, "100000\r\n");
    for (int i = 0; i < 2; i++)
        (void)!send(second, half, sizeof half, MSG_NOSIGNAL);
    xt_buf_reset(&out);
    assert_true(client_read(second, &out, "HTTP/1.1 429 Too Many Requests", 1));
    assert_true(client_read(second, &out, "Retry-After: 5\r\n", 1));
    close(second);
    int status = 0;
    for (int i = 0; i < 1000 && status != 429; i++) /* the first half is surely there */
        status = client_ask(client_tcp(s->port), "POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", &out);
    assert_int_equal(status, 429);
    assert_int_equal(client_ask(client_tcp(s->port), "POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", &out), 200);
    int own = client_unix(s->unix_path);
    xt_buf_reset(&out);
    client_send(own, "POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
    assert_true(client_read(own, &out, "100 Continue", 1));
    close(own);
    close(first);
    int fd = -1;
    for (int i = 0; i < 1000 && !has(&out, "100 Continue"); i++) { /* until the loop has seen that it left */
        if (fd >= 0)
            close(fd);
        fd = client_tcp(s->port);
        xt_buf_reset(&out);
        client_send(fd, "POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
        assert_true(client_read(fd, &out, "\r\n\r\n", 1));
    }
    assert_true(has(&out, "100 Continue"));
    close(fd);
}

static void test_slow_client(void **state)
{
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    int fd = client_tcp(s->port);
    client_send(fd, "GET /big HTTP/1.1\r\nConnection: close\r\n\r\n");
    size_t before = 0;
    for (size_t now; (now = atomic_load(&s->n_written)) == 0 || now != before; usleep(200000))
        before = now;
    assert_true(before < BIG_BYTES); /* the writer is held back */
    client_read(fd, &out, NULL, 0);
    close(fd);
    assert_int_equal(atomic_load(&s->n_written), BIG_BYTES);
    assert_true(out.n > BIG_BYTES && xt_slice_ends(xt_buf_slice(&out), XT_S("0\r\n\r\n")));
}

/* Whoever holds all the connections that there may be shuts nobody out. */
static void test_door_held_open(void **state)
{
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    static int fds[XT_HTTP_MAX_CONNECTIONS];
    struct rlimit files;
    char byte;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < 2 * XT_HTTP_MAX_CONNECTIONS + 100)
        skip();
    fds[0] = client_tcp(s->port);
    client_send(fds[0], "GET /wait HTTP/1.1\r\n\r\n"); /* who is being answered stays */
    assert_true(reaches(&s->n_running, 1));
    for (size_t i = 1; i < XT_COUNT_OF(fds); i++) {
        fds[i] = client_tcp(s->port);
        client_send(fds[i], i % 2 ? "GET /slow" : "POST /keep HTTP/1.1\r\nContent-Length: 8000\r\n\r\nx");
    }
    int fd = client_tcp(s->port);
    client_send(fd, "GET /hello HTTP/1.1\r\n\r\n");
    assert_true(client_read(fd, &out, "200 OK", 1));
    assert_int_equal(recv(fds[1], &byte, 1, 0), 0); /* the oldest that asks for nothing yet */
    assert_int_equal(recv(fds[0], &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(recv(fds[2], &byte, 1, MSG_DONTWAIT), -1);
    close(fd);
    for (size_t i = 0; i < XT_COUNT_OF(fds); i++)
        close(fds[i]);
}

static void test_client_leaves(void **state)
{
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    int fd = client_tcp(s->port);
    client_send(fd, "GET /wait HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n");
    assert_true(reaches(&s->n_running, 1));
    close(fd);
    assert_true(reaches(&s->n_cancelled, 1));
    fd = client_tcp(s->port);
    client_send(fd, "GET /big HTTP/1.1\r\n\r\n");
    assert_true(client_read(fd, &out, "200 OK", 1));
    close(fd);
    assert_true(reaches(&s->n_broken_pipes, 1));
}

static void test_streams_leave_workers_alone(void **state)
{
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    int fds[XT_HTTP_MAX_STREAMS];
    for (int i = 0; i < XT_HTTP_MAX_STREAMS; i++) {
        fds[i] = client_tcp(s->port);
        client_send(fds[i], "GET /stream HTTP/1.1\r\n\r\n");
    }
    assert_true(reaches(&s->n_running, XT_HTTP_MAX_STREAMS));
    assert_int_equal(client_ask(client_tcp(s->port), "GET /stream HTTP/1.1\r\n\r\n", &out), 503);
    assert_int_equal(client_ask(client_tcp(s->port), "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n", &out), 200);
    for (int i = 0; i < XT_HTTP_MAX_STREAMS / 2; i++)
        close(fds[i]);
    assert_true(reaches(&s->n_cancelled, XT_HTTP_MAX_STREAMS / 2));
    xt_buf_reset(&out);
    int fd = client_tcp(s->port); /* room again */
    client_send(fd, "GET /stream HTTP/1.1\r\n\r\n");
    assert_true(client_read(fd, &out, "tick", 3));
    close(fd);
    for (int i = XT_HTTP_MAX_STREAMS / 2; i < XT_HTTP_MAX_STREAMS; i++)
        close(fds[i]);
}

/* What still runs when the server closes is cancelled and waited for: tear_down would hang otherwise. */
static void test_close_with_work(void **state)
{
    scene *s = *state;
    int a = client_tcp(s->port), b = client_unix(s->unix_path), c = client_tcp(s->port), d = client_tcp(s->port);
    client_send(a, "GET /wait HTTP/1.1\r\n\r\n");
    client_send(b, "GET /stream HTTP/1.1\r\n\r\n");
    client_send(c, "GET /big HTTP/1.1\r\n\r\n");
    client_send(d, "GET /wait HTTP/1.1\r\n\r\n"); /* may still be waiting for a worker */
    assert_true(reaches(&s->n_running, 2));
    loop_stop(&s->loop);
    s->server = xt_http_server_close(s->server);
    assert_true(atomic_load(&s->n_cancelled) >= 2);
    close(a);
    close(b);
    close(c);
    close(d);
    loop_start(&s->loop);
}

static void test_unix_socket(void **state)
{
    scene *s = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    struct stat st;
    assert_int_equal(stat(s->unix_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(client_ask(client_unix(s->unix_path), "GET /door HTTP/1.1\r\nConnection: close\r\n\r\n", &out),
                     200);
    assert_true(xt_slice_ends(xt_buf_slice(&out), XT_S("unix")));
    assert_int_equal(client_ask(client_tcp(s->port), "GET /door HTTP/1.1\r\nConnection: close\r\n\r\n", &out), 200);
    assert_true(xt_slice_ends(xt_buf_slice(&out), XT_S("tcp")));
}

static void test_listen_problems(void **state)
{
    scene *s = *state;
    xt_problem problem = XT_PROBLEM_INIT;
    char address[64], path[200];
    loop_stop(&s->loop);
    snprintf(address, sizeof address, "127.0.0.1:%d", s->port);
    assert_int_equal(xt_http_server_listen(s->server, address, NULL, NULL, NULL, &problem), XT_HTTP_E_LISTEN);
    assert_non_null(strstr(problem.sentence, "in use"));
    assert_non_null(strstr(problem.sentence, address));
    assert_int_equal(xt_http_server_listen(s->server, "nonsense", NULL, NULL, NULL, &problem), XT_HTTP_E_LISTEN);
    assert_int_equal(xt_http_server_listen(s->server, "127.0.0.1:65536", NULL, NULL, NULL, &problem), XT_HTTP_E_LISTEN);
    assert_int_equal(xt_http_server_listen_unix(s->server, s->unix_path, NULL, &problem), XT_HTTP_E_LISTEN);
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(xt_http_server_listen_unix(s->server, path, NULL, &problem), XT_HTTP_E_LISTEN);
    /* what a dead server left behind is replaced */
    snprintf(path, 100, "%s-stale", s->unix_path);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    memcpy(sa.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    close(fd);
    assert_int_equal(xt_http_server_listen_unix(s->server, path, NULL, &problem), 0);
    assert_true(xt_http_address_is_loopback("127.0.0.1:1"));
    assert_true(xt_http_address_is_loopback("[::1]:1"));
    assert_false(xt_http_address_is_loopback("0.0.0.0:1"));
    assert_false(xt_http_address_is_loopback(":1"));
    loop_start(&s->loop);
}

static void make_contexts(SSL_CTX **ret_server, SSL_CTX **ret_client)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_buf ca_key = XT_BUF_INIT, ca = XT_BUF_INIT, key = XT_BUF_INIT, cert = XT_BUF_INIT;
    assert_int_equal(xt_tls_key_make(&ca_key), 0);
    assert_int_equal(xt_tls_ca_make(xt_buf_slice(&ca_key), &ca), 0);
    assert_int_equal(xt_tls_key_make(&key), 0);
    assert_int_equal(xt_tls_server_cert_make(xt_buf_slice(&ca), xt_buf_slice(&ca_key), xt_buf_slice(&key), "localhost",
                                             10, &cert, &problem),
                     0);
    assert_int_equal(
        xt_tls_server_context(xt_buf_slice(&ca), xt_buf_slice(&cert), xt_buf_slice(&key), ret_server, &problem), 0);
    assert_int_equal(xt_tls_client_context(xt_buf_slice(&ca), XT_S_NULL, XT_S_NULL, ret_client, &problem), 0);
    xt_buf_fini(&ca_key);
    xt_buf_fini(&ca);
    xt_buf_fini(&key);
    xt_buf_fini(&cert);
}

static void test_tls(void **state)
{
    scene *s = *state;
    xt_problem problem = XT_PROBLEM_INIT;
    SSL_CTX *server, *client;
    int port;
    make_contexts(&server, &client);
    loop_stop(&s->loop);
    assert_int_equal(xt_http_server_listen(s->server, "127.0.0.1:0", server, &tcp_door, &port, &problem), 0);
    loop_start(&s->loop);
    int fd = client_tcp(port);
    SSL *ssl = SSL_new(client);
    SSL_set_fd(ssl, fd);
    assert_int_equal(SSL_connect(ssl), 1);
    const char *text = "GET /hello HTTP/1.1\r\n\r\nGET /big HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert_int_equal(SSL_write(ssl, text, (int)strlen(text)), (int)strlen(text));
    size_t total = 0;
    char piece[16384];
    for (int n; (n = SSL_read(ssl, piece, sizeof piece)) > 0; total += (size_t)n)
        ;
    assert_true(total > BIG_BYTES);
    SSL_free(ssl);
    close(fd);
    fd = client_tcp(port); /* no TLS at all */
    client_send(fd, "GET /hello HTTP/1.1\r\n\r\n");
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    assert_false(client_read(fd, &out, "hello", 1));
    close(fd);
    SSL_CTX_free(client);
    loop_stop(&s->loop);
    s->server = xt_http_server_close(s->server);
    SSL_CTX_free(server);
    loop_start(&s->loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pipelining, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_client, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_expect_continue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bodies_admitted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bodies_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bodies_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slow_client, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_door_held_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_client_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_streams_leave_workers_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_close_with_work, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unix_socket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_listen_problems, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tls, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
