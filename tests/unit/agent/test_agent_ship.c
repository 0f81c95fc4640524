/*
 * The agent itself (the program beside this test's folder) against a small TLS server in this process: enrolment,
 * batches, lost connections, refusals. Records come as text, so no kernel is needed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/event.h"
#include "io/tls.h"
#include "io/tls_trust.h"
#include "io/vfs.h"
#include "wire/batch.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/short_form.h"
#include "wire/token.h"

#define HOST_ID  "00112233445566778899aabbccddeeff"
#define N_EVENTS 3000
#define SECRET   "hUnter" /* of each command an argument that must not get here */

static struct {
    xt_buf ca_key, ca, server_key, server;
    SSL_CTX *context;
    int listener;
    uint16_t port;
    char dir[64], agent[512], token[128];
    pthread_t thread;
    /* what the server does, set before it runs */
    unsigned close_after; /* batches of a connection, with the last one or its acknowledgement lost; 0: never */
    uint64_t refuse;      /* xt_refusal of the first frame, 0: none */
    int64_t valid_s;      /* of the certificates it gives */
    bool hostile;         /* it sends what nobody asked for, and nonsense */
    enum { RENEWS_NOT, RENEWS_WELL, RENEWS_ANOTHER_KEY, RENEWS_AND_REFUSES } renews;
    bool forget; /* a welcome that knows nothing of the stream */
    bool is_old; /* it knows no short forms and no dictionary */
    const char *spool_mib;
    uint64_t gather_ms; /* what it asks for */
    /* what it saw; read after the thread has ended */
    unsigned n_renew, n_proofs; /* renewals asked for; hellos with another certificate than the enrolment's */
    uint8_t first_key[32];
    unsigned n_connections, n_enrolled, n_hello, n_heartbeats;
    uint64_t number; /* durable */
    xt_hash128 hash, stream;
    unsigned seen[N_EVENTS + 1];
    uint64_t n_events, n_own;
    bool broken_chain;
    unsigned n_leaks, n_redacted;
    uint64_t n_storm, n_floods, n_flooded; /* of one command: as they are, summaries, and what they count */
    unsigned n_short, n_packed;            /* batches in short form; with a dictionary */
    xt_short_form form;                    /* of the connection */
} t;

/* Held while the server's thread uses t; taken and given back by the test between two agents, so that each sees the other's part. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void settle(void)
{
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
}

static void send_frame(SSL *ssl, xt_frame_type type, const xt_buf *payload)
{
    xt_buf out = XT_BUF_INIT;
    xt_frame_put(&out, type, xt_buf_slice(payload));
    (void)!SSL_write(ssl, out.p, (int)out.n);
    xt_buf_fini(&out);
}

static void count_event(const xt_event *event)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_ARGS));
    xt_slice item;
    uint64_t n;
    t.n_events++;
    if (xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("flood"))) {
        t.n_floods++;
        t.n_flooded += xt_event_num(event, XT_F_COUNT, 0);
        assert_true(xt_event_num(event, XT_F_START, 0) <= xt_event_num(event, XT_F_TIME, 0));
        assert_true(xt_slice_eq(xt_event_bytes(event, XT_F_EXE), XT_S("/usr/bin/storm")));
        assert_false(xt_event_has(event, XT_F_PID));
    } else if (xt_slice_eq(xt_event_bytes(event, XT_F_EXE), XT_S("/usr/bin/storm"))) {
        t.n_storm++;
    } else if (!xt_event_has(event, XT_F_ARGS))
        t.n_own++;
    else if (xt_list_next(&iter, &item) && xt_list_next(&iter, &item) && xt_slice_parse_u64(item, &n) && n <= N_EVENTS)
        t.seen[n]++;
}

/* Takes a batch as a real server does: the next number with the right chain, or one it has already. */
static void take_batch(xt_slice payload)
{
    xt_batch batch;
    xt_buf events = XT_BUF_INIT;
    if (xt_batch_decode(payload, &batch, NULL) != 0 || xt_batch_events(&batch, &events, NULL) != 0) {
        t.broken_chain = true;
        return;
    }
    if (batch.number != t.number + 1 || !xt_hash128_eq(batch.chain, t.hash)) {
        t.broken_chain = true;
    } else {
        t.n_packed += batch.codec > XT_CODEC_ZSTD;
        t.n_leaks +=
            xt_slice_find(xt_buf_slice(&events), XT_S(SECRET)) >= 0 || xt_slice_find(payload, XT_S(SECRET)) >= 0;
        t.n_redacted += xt_slice_find(xt_buf_slice(&events), XT_S("--password=[redacted]")) >= 0;
        t.number = batch.number;
        t.hash = xt_batch_hash(payload);
        xt_slice rest = xt_buf_slice(&events), bytes;
        xt_event event;
        while (xt_event_batch_next(&rest, &bytes) && xt_event_decode(bytes, &event, NULL) == 0)
            count_event(&event);
    }
    xt_buf_fini(&events);
}

static void answer_enroll(SSL *ssl, xt_slice payload)
{
    xt_enroll enroll;
    xt_token token;
    xt_buf cert = XT_BUF_INIT, out = XT_BUF_INIT;
    bool ok = xt_enroll_decode(payload, &enroll, NULL) == 0 &&
              xt_token_parse(xt_slice_str(t.token), &token, NULL) == 0 && enroll.secret.n == 32 &&
              memcmp(enroll.secret.p, token.id, 16) == 0 && memcmp(enroll.secret.p + 16, token.secret, 16) == 0;
    if (ok && xt_tls_host_cert_make(xt_buf_slice(&t.ca), xt_buf_slice(&t.ca_key), enroll.csr_der, XT_S(HOST_ID),
                                    t.valid_s, &cert, NULL) == 0) {
        t.n_enrolled++;
        xt_enrolled_put(&out, &(xt_enrolled){XT_S(HOST_ID), xt_buf_slice(&cert), xt_buf_slice(&t.ca)});
        send_frame(ssl, XT_FRAME_ENROLLED, &out);
    }
    xt_buf_fini(&cert);
    xt_buf_fini(&out);
}

static void send_raw(SSL *ssl, unsigned type, const char *bytes)
{
    xt_buf out = XT_BUF_INIT;
    xt_buf_puts(&out, bytes);
    send_frame(ssl, (xt_frame_type)type, &out);
    xt_buf_fini(&out);
}

/* What a server that was taken over may try: certificates and CAs that nobody vouches for, and messages that there are none of. */
static void send_hostile(SSL *ssl)
{
    xt_buf key = XT_BUF_INIT, ca = XT_BUF_INIT, signature = XT_BUF_INIT, out = XT_BUF_INIT;
    assert_int_equal(xt_tls_key_make(&key), 0);
    assert_int_equal(xt_tls_ca_make(xt_buf_slice(&key), &ca), 0);
    assert_int_equal(xt_tls_bundle_sign(xt_buf_slice(&ca), xt_buf_slice(&key), &signature), 0);
    xt_trust trust = {
        .ca_pem = xt_buf_slice(&ca), .signature = xt_buf_slice(&signature), .renew = 1, .spread_ms = UINT64_MAX};
    xt_trust_put(&out, &trust);
    send_frame(ssl, XT_FRAME_TRUST, &out);
    send_raw(ssl, XT_FRAME_TRUST, "");
    send_raw(ssl, XT_FRAME_RENEWED, "nobody asked for it");
    xt_buf_reset(&out);
    xt_ack_put(&out, &(xt_ack){.number = UINT64_MAX}); /* what was never sent is not acknowledged by that */
    send_frame(ssl, XT_FRAME_ACK, &out);
    send_raw(ssl, 60, "a later version's message");
    xt_buf *const all[] = {&key, &ca, &signature, &out};
    for (size_t i = 0; i < XT_COUNT_OF(all); i++)
        xt_buf_fini(all[i]);
}

static void answer_renew(SSL *ssl, xt_slice payload)
{
    xt_renew renew;
    xt_buf cert = XT_BUF_INIT, key = XT_BUF_INIT, csr = XT_BUF_INIT, out = XT_BUF_INIT;
    t.n_renew++;
    assert_int_equal(xt_renew_decode(payload, &renew, NULL), 0);
    if (t.renews == RENEWS_ANOTHER_KEY) {
        assert_int_equal(xt_tls_key_make(&key), 0);
        assert_int_equal(xt_tls_csr_make(xt_buf_slice(&key), XT_S("x"), &csr), 0);
        renew.csr_der = xt_buf_slice(&csr);
    }
    assert_int_equal(xt_tls_host_cert_make(xt_buf_slice(&t.ca), xt_buf_slice(&t.ca_key), renew.csr_der, XT_S(HOST_ID),
                                           30 * 86400, &cert, NULL),
                     0);
    xt_renewed_put(&out, &(xt_renewed){xt_buf_slice(&cert)});
    send_frame(ssl, XT_FRAME_RENEWED, &out);
    xt_buf *const all[] = {&cert, &key, &csr, &out};
    for (size_t i = 0; i < XT_COUNT_OF(all); i++)
        xt_buf_fini(all[i]);
}

/* Counts hellos with a renewed certificate; true when it is to be refused. */
static bool see_certificate(SSL *ssl)
{
    xt_tls_peer peer;
    xt_tls_peer_get(ssl, &peer);
    if (t.n_hello == 0)
        memcpy(t.first_key, peer.key_sha256, sizeof t.first_key);
    bool renewed = memcmp(t.first_key, peer.key_sha256, sizeof t.first_key) != 0;
    t.n_proofs += renewed;
    return renewed && t.renews == RENEWS_AND_REFUSES;
}

static void answer_hello(SSL *ssl, xt_slice payload)
{
    if (see_certificate(ssl)) {
        xt_buf refusal = XT_BUF_INIT;
        t.renews = RENEWS_NOT;
        xt_refused_put(&refusal, &(xt_refused){.reason = XT_REFUSED_CA, .sentence = XT_S("not that one")});
        send_frame(ssl, XT_FRAME_REFUSED, &refusal);
        xt_buf_fini(&refusal);
        return;
    }
    xt_hello hello;
    char peer[64];
    xt_buf out = XT_BUF_INIT;
    xt_tls_peer_name(ssl, peer, sizeof peer);
    if (xt_hello_decode(payload, &hello, NULL) == 0 && strcmp(peer, HOST_ID) == 0) {
        t.n_hello++;
        if (!xt_hash128_eq(hello.stream, t.stream) || t.forget) {
            t.number = 0;
            t.hash = (xt_hash128){{0}};
            t.forget = false;
        }
        t.stream = hello.stream;
        const xt_welcome welcome = {
            .version = 1,
            .number = t.number,
            .hash = t.hash,
            .window = t.hostile ? UINT64_MAX : 3,
            .dictionary = t.is_old ? 0 : hello.dictionary,
            .features = (t.renews ? XT_FEATURE_RENEWAL : 0) | (t.is_old ? 0 : XT_FEATURE_SHORT),
            .gather_ms = t.gather_ms,
        };
        xt_short_begin(&t.form, t.stream, &welcome);
        xt_welcome_put(&out, &welcome);
        send_frame(ssl, XT_FRAME_WELCOME, &out);
        if (t.hostile)
            send_hostile(ssl);
    }
    xt_buf_fini(&out);
}

/* The whole payload of a batch, and whether it came whole; both ends go on from it even where it is lost. */
static void whole_batch(const xt_frame *frame, xt_buf *out)
{
    xt_batch batch;
    if (frame->type == XT_FRAME_BATCH)
        xt_buf_put(out, frame->payload);
    else if (xt_short_batch_expand(&t.form, frame->payload, out, NULL) != 0)
        t.broken_chain = true;
    t.n_short += frame->type == XT_FRAME_BATCH_SHORT;
    if (xt_batch_decode(xt_buf_slice(out), &batch, NULL) == 0)
        xt_short_batch_went(&t.form, batch.number, xt_buf_slice(out));
}

static void take_beat(const xt_frame *frame)
{
    xt_heartbeat beat;
    t.n_heartbeats++;
    if (xt_short_beat_take(&t.form, frame->payload, frame->type == XT_FRAME_HEARTBEAT_SHORT, &beat, NULL) != 0 ||
        !xt_slice_eq(beat.audit_mode, XT_S("text")))
        t.broken_chain = true;
}

/* False: close the connection. */
static bool answer(SSL *ssl, const xt_frame *frame, unsigned *n_batches)
{
    xt_buf out = XT_BUF_INIT, whole = XT_BUF_INIT;
    if (t.refuse) {
        xt_refused_put(&out, &(xt_refused){.reason = t.refuse, .sentence = XT_S("the server's own words")});
        send_frame(ssl, XT_FRAME_REFUSED, &out);
    } else if (frame->type == XT_FRAME_ENROLL) {
        answer_enroll(ssl, frame->payload);
    } else if (frame->type == XT_FRAME_HELLO) {
        answer_hello(ssl, frame->payload);
    } else if (frame->type == XT_FRAME_HEARTBEAT || frame->type == XT_FRAME_HEARTBEAT_SHORT) {
        take_beat(frame);
    } else if (frame->type == XT_FRAME_RENEW) {
        answer_renew(ssl, frame->payload);
    } else if (frame->type == XT_FRAME_BATCH || frame->type == XT_FRAME_BATCH_SHORT) {
        whole_batch(frame, &whole);
        /* Every other time the batch is lost with the connection, every other time only its acknowledgement is. */
        bool cut = t.close_after && ++*n_batches >= t.close_after;
        if (!cut || t.n_connections % 2)
            take_batch(xt_buf_slice(&whole));
        xt_buf_fini(&whole);
        if (cut)
            return false;
        xt_ack_put(&out, &(xt_ack){t.number, t.gather_ms});
        send_frame(ssl, XT_FRAME_ACK, &out);
    }
    xt_buf_fini(&out);
    return true;
}

static void serve(int fd)
{
    SSL *ssl = SSL_new(t.context);
    xt_buf in = XT_BUF_INIT;
    unsigned n_batches = 0;
    SSL_set_fd(ssl, fd);
    bool go_on = SSL_accept(ssl) == 1;
    while (go_on) {
        char *p = xt_buf_reserve(&in, 65536);
        int n = SSL_read(ssl, p, 65536);
        if (n <= 0)
            break;
        in.n += (size_t)n;
        xt_frame frame;
        size_t taken;
        while (go_on && xt_frame_next(xt_buf_slice(&in), &frame, &taken, NULL) == 0) {
            pthread_mutex_lock(&lock);
            go_on = answer(ssl, &frame, &n_batches);
            pthread_mutex_unlock(&lock);
            xt_buf_consume(&in, taken);
        }
    }
    xt_buf_fini(&in);
    SSL_free(ssl);
    close(fd);
}

/* Serves one connection after another until the listener is shut down. */
static void *server_run(void *context)
{
    for (;;) {
        int fd = accept(t.listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        pthread_mutex_lock(&lock);
        t.n_connections++;
        pthread_mutex_unlock(&lock);
        serve(fd);
    }
}

static int setup(void **state)
{
    memset(&t, 0, sizeof t);
    t.valid_s = 30 * 86400;
    signal(SIGPIPE, SIG_IGN);
    snprintf(t.dir, sizeof t.dir, "/tmp/xt-ship-XXXXXX");
    assert_non_null(mkdtemp(t.dir));
    ssize_t n = readlink("/proc/self/exe", t.agent, sizeof t.agent - 32);
    assert_true(n > 0);
    t.agent[n] = '\0';
    snprintf(strrchr(t.agent, 0x2f), 32, "/../exectrail-agent");
    assert_int_equal(access(t.agent, X_OK), 0);
    xt_problem problem = XT_PROBLEM_INIT;
    assert_int_equal(xt_tls_key_make(&t.ca_key), 0);
    assert_int_equal(xt_tls_ca_make(xt_buf_slice(&t.ca_key), &t.ca), 0);
    assert_int_equal(xt_tls_key_make(&t.server_key), 0);
    assert_int_equal(xt_tls_server_cert_make(xt_buf_slice(&t.ca), xt_buf_slice(&t.ca_key), xt_buf_slice(&t.server_key),
                                             "localhost", 30, &t.server, &problem),
                     0);
    assert_int_equal(xt_tls_server_context(xt_buf_slice(&t.ca), xt_buf_slice(&t.server), xt_buf_slice(&t.server_key),
                                           &t.context, &problem),
                     0);
    xt_token token = {.id = {1}, .secret = {2}};
    xt_buf text = XT_BUF_ON(t.token);
    assert_int_equal(xt_tls_fingerprint(xt_buf_slice(&t.ca), token.ca_sha256), 0);
    xt_token_format(&token, &text);
    t.token[text.n] = '\0';

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    t.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(t.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(t.listener, 8), 0);
    assert_int_equal(getsockname(t.listener, (struct sockaddr *)&address, &size), 0);
    t.port = ntohs(address.sin_port);
    return 0;
}

static void server_start(void)
{
    assert_int_equal(pthread_create(&t.thread, NULL, server_run, NULL), 0);
}

static int teardown(void **state)
{
    close(t.listener);
    SSL_CTX_free(t.context);
    xt_short_fini(&t.form);
    xt_buf *all[] = {&t.ca_key, &t.ca, &t.server_key, &t.server};
    for (size_t i = 0; i < XT_COUNT_OF(all); i++)
        xt_buf_fini(all[i]);
    static const char *const files[] = {"shipper/spool/stream",
                                        "shipper/key.pem",
                                        "shipper/identity.pem",
                                        "shipper/next.pem",
                                        "shipper/cert.pem",
                                        "shipper/ca.pem",
                                        "shipper/host-id",
                                        "shipper/spool",
                                        "shipper",
                                        "status",
                                        "lock",
                                        "audit-before",
                                        "log",
                                        ""};
    char path[256];
    for (unsigned i = 1; i < 200; i++) {
        snprintf(path, sizeof path, "%s/shipper/spool/%016x.spool", t.dir, i);
        remove(path);
    }
    for (size_t i = 0; i < XT_COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s/%s", t.dir, files[i]);
        remove(path);
    }
    return 0;
}

typedef struct child {
    pid_t pid;
    int input;
} child;

static child agent_start(bool with_token)
{
    int input[2];
    char server[32], log[128];
    settle();
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    snprintf(server, sizeof server, "127.0.0.1:%u", t.port);
    snprintf(log, sizeof log, "%s/log", t.dir);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(input[0], STDIN_FILENO);
        dup2(open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
        execl(t.agent, t.agent, "--config", "/dev/null", "--stdin", "--state", t.dir, "--host", "unit", "--spool-mib",
              t.spool_mib ? t.spool_mib : "256", "--server", server, with_token ? "--token" : NULL, t.token,
              (char *)NULL);
        _exit(127);
    }
    close(input[0]);
    return (child){pid, input[1]};
}

/* Ends its input and waits; the exit status, or -1. */
static int agent_end(child agent)
{
    int status = -1;
    close(agent.input);
    for (unsigned i = 0; i < 300; i++) {
        settle();
        if (waitpid(agent.pid, &status, WNOHANG) == agent.pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        poll(NULL, 0, 100);
    }
    kill(agent.pid, SIGKILL);
    waitpid(agent.pid, &status, 0);
    return -1;
}

static void server_stop(void)
{
    shutdown(t.listener, SHUT_RDWR);
    pthread_join(t.thread, NULL);
}

static bool log_says(const char *words, bool shows)
{
    char path[128], text[8192] = "";
    snprintf(path, sizeof path, "%s/log", t.dir);
    FILE *f = fopen(path, "r");
    if (f) {
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        fclose(f);
    }
    if (shows && !strstr(text, words))
        print_message("the agent's log: %s\n", text);
    return strstr(text, words) != NULL;
}

static bool log_has(const char *words)
{
    return log_says(words, true);
}

/* The agent's whole log stands in the test's output when it did not end well. */
static void agent_end_well(child agent)
{
    if (agent_end(agent) != 0) {
        (void)log_has("\x01 shows the log");
        fail_msg("the agent ended with a failure");
    }
}

/* Execs number from..to as auditd's text. */
static void feed(const child *agent, unsigned from, unsigned to)
{
    xt_buf out = XT_BUF_INIT;
    for (unsigned i = from; i <= to; i++) {
        xt_buf_printf(
            &out,
            "type=SYSCALL msg=audit(1800000000.%03u:%u): arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 "
            "a3=4 items=0 ppid=1 pid=%u auid=1001 uid=1001 gid=1001 euid=1001 suid=1001 fsuid=1001 egid=1001 sgid=1001 "
            "fsgid=1001 tty=pts0 ses=7 comm=\"load\" exe=\"/usr/bin/load\" key=\"exec\"\n",
            i / 10, i, i);
        xt_buf_printf(&out,
                      "type=EXECVE msg=audit(1800000000.%03u:%u): argc=3 a0=\"load\" a1=\"%u\" a2=\"--password=" SECRET
                      "%u\"\n",
                      i / 10, i, i, i);
        xt_buf_printf(&out, "type=PROCTITLE msg=audit(1800000000.%03u:%u): proctitle=\"load\"\n", i / 10, i);
    }
    for (size_t n = 0; n < out.n;) {
        ssize_t r = write(agent->input, out.p + n, out.n - n);
        assert_true(r > 0);
        n += (size_t)r;
    }
    xt_buf_fini(&out);
}

static void feed_command(const child *agent, unsigned serial, const char *exe, const char *argument)
{
    xt_buf out = XT_BUF_INIT;
    xt_buf_printf(
        &out,
        "type=SYSCALL msg=audit(1800000001.%03u:%u): arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 "
        "a3=4 items=0 ppid=1 pid=%u auid=1001 uid=1001 gid=1001 euid=1001 suid=1001 fsuid=1001 egid=1001 "
        "sgid=1001 fsgid=1001 tty=pts0 ses=7 comm=\"x\" exe=\"%s\" key=\"exec\"\n",
        serial % 1000, serial, serial, exe);
    xt_buf_printf(&out, "type=EXECVE msg=audit(1800000001.%03u:%u): argc=2 a0=\"x\" a1=\"%s\"\n", serial % 1000, serial,
                  argument);
    xt_buf_printf(&out, "type=PROCTITLE msg=audit(1800000001.%03u:%u): proctitle=\"x\"\n", serial % 1000, serial);
    for (size_t n = 0; n < out.n;) {
        ssize_t r = write(agent->input, out.p + n, out.n - n);
        assert_true(r > 0);
        n += (size_t)r;
    }
    xt_buf_fini(&out);
}

static void assert_all_once(unsigned to)
{
    assert_false(t.broken_chain);
    assert_int_equal(t.n_leaks, 0);
    assert_true(t.n_redacted > 0 || to == 0);
    for (unsigned i = 1; i <= to; i++)
        assert_int_equal(t.seen[i], 1);
}

static void test_enrol_and_ship(void **state)
{
    server_start();
    child agent = agent_start(true);
    feed(&agent, 1, 1200);
    agent_end_well(agent);
    assert_int_equal(t.n_enrolled, 1);
    assert_true(t.n_heartbeats > 0);
    assert_int_equal(t.n_events - t.n_own, 1200);
    assert_int_equal(t.n_own, 2); /* started, stopped */
    assert_all_once(1200);
    /* Again without a token: the certificate is enough, and the stream goes on. */
    xt_hash128 stream = t.stream;
    agent = agent_start(false);
    feed(&agent, 1201, 1300);
    agent_end_well(agent);
    server_stop();
    assert_int_equal(t.n_enrolled, 1);
    assert_true(xt_hash128_eq(t.stream, stream));
    assert_all_once(1300);
}

/* The server does not answer, and the spool fills beyond half: then a storm of one command is counted, and none is lost. */
static void test_flood(void **state)
{
    static char noise[3001];
    uint64_t x = 1;
    t.spool_mib = "1";
    server_start();
    child agent = agent_start(true);
    for (unsigned i = 0; i < 50; i++) /* below half: one by one */
        feed_command(&agent, 10000 + i, "/usr/bin/storm", "ls");
    for (unsigned i = 0; i < 100; i++) {
        poll(NULL, 0, 50);
        pthread_mutex_lock(&lock);
        bool there = t.n_storm == 50;
        pthread_mutex_unlock(&lock);
        if (there)
            break;
    }
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < 290; i++) {
        for (unsigned k = 0; k < 3000; k++) {
            x = x * 6364136223846793005 + 1442695040888963407;
            noise[k] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"[x >> 58];
        }
        feed_command(&agent, 20000 + i, "/usr/bin/noise", noise);
    }
    for (unsigned i = 0; i < 3000; i++)
        feed_command(&agent, 30000 + i, "/usr/bin/storm", "ls");
    for (unsigned i = 0; i < 600 && !log_says("storms of one command are counted", false); i++)
        poll(NULL, 0, 50); /* the collector takes all of it and does not wait for the shipper */
    pthread_mutex_unlock(&lock);
    agent_end_well(agent);
    server_stop();
    assert_false(t.broken_chain);
    assert_int_equal(t.n_storm + t.n_flooded, 3050);
    assert_true(t.n_floods > 0 && t.n_flooded > 100);
    assert_true(log_has("storms of one command are counted"));
}

/* Single commands, one after the other: how many batches they came in. */
static unsigned batches_of_commands(const child *agent, unsigned from, unsigned n)
{
    pthread_mutex_lock(&lock);
    uint64_t before = t.number;
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < n; i++) {
        feed(agent, from + i, from + i);
        poll(NULL, 0, 250); /* longer than an agent gathers by itself */
    }
    bool all = false;
    for (unsigned k = 0; k < 1000 && !all; k++) {
        poll(NULL, 0, 20);
        pthread_mutex_lock(&lock);
        all = t.seen[from + n - 1];
        pthread_mutex_unlock(&lock);
    }
    assert_true(all);
    pthread_mutex_lock(&lock);
    uint64_t number = t.number;
    pthread_mutex_unlock(&lock);
    return (unsigned)(number - before);
}

/* A server with many agents asks each to gather events; for longer than a second nobody does. */
static void test_gather(void **state)
{
    enum { N = 8 };
    server_start();
    child agent = agent_start(true);
    unsigned alone = batches_of_commands(&agent, 1, N);
    pthread_mutex_lock(&lock);
    t.gather_ms = UINT64_MAX;
    pthread_mutex_unlock(&lock);
    (void)batches_of_commands(&agent, N + 1, 2); /* their acknowledgements say so */
    int64_t begin_ms = xt_clock_mono_ms(&xt_clock_system);
    unsigned asked = batches_of_commands(&agent, N + 3, N);
    int64_t took_ms = xt_clock_mono_ms(&xt_clock_system) - begin_ms;
    agent_end_well(agent);
    server_stop();
    assert_all_once(2 * N + 2);
    assert_in_range(alone, N / 2, 2 * N);
    /* one a second, what was begun before, and what a heartbeat sends on its way */
    assert_true(asked <= took_ms / XT_GATHER_MAX_MS + 2 + took_ms / 5000 + 1);
    assert_true(took_ms > 60000 || asked < alone);
}

/* A server of before: nothing in a form that it cannot read. What waits from then on is packed with a dictionary once it can. */
static void test_old_server(void **state)
{
    t.is_old = true;
    server_start();
    child agent = agent_start(true);
    feed(&agent, 1, 300);
    agent_end_well(agent);
    assert_int_equal(t.n_short + t.n_packed, 0);
    assert_true(t.number > 0);
    t.is_old = false;
    agent = agent_start(false);
    poll(NULL, 0, 500);
    feed(&agent, 301, 600);
    agent_end_well(agent);
    server_stop();
    assert_true(t.n_short > 0 && t.n_packed > 0);
    assert_all_once(600);
}

/* How many different "audit(TIME:SERIAL)" a text holds: the events in it, counted without any of our readers. */
static unsigned count_stamps(xt_slice text)
{
    static xt_slice seen[4096];
    unsigned n = 0;
    ptrdiff_t at;
    while ((at = xt_slice_find(text, XT_S("msg=audit("))) >= 0) {
        text = xt_slice_skip(text, (size_t)at);
        xt_slice stamp = xt_slice_head(text, (size_t)xt_slice_find_byte(text, ')'));
        unsigned i = n > 64 ? n - 64 : 0; /* records of an event stand close together in these files */
        while (i < n && !xt_slice_eq(seen[i], stamp))
            i++;
        if (i == n && n < XT_COUNT_OF(seen))
            seen[n++] = stamp;
        text = xt_slice_skip(text, stamp.n);
    }
    return n;
}

static void test_captures(void **state)
{
    static const char *const names[] = {"args", "webshell", "tty", "tamper"};
    unsigned expected = 2; /* started, stopped */
    server_start();
    child agent = agent_start(true);
    for (size_t i = 0; i < XT_COUNT_OF(names); i++) {
        char path[512];
        xt_buf text = XT_BUF_INIT;
        snprintf(path, sizeof path, "%s/capture/%s.log", getenv("XT_TEST_DATA"), names[i]);
        assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 64 << 20, &text), 0);
        expected += count_stamps(xt_buf_slice(&text));
        for (size_t n = 0; n < text.n;) {
            ssize_t r = write(agent.input, text.p + n, text.n - n);
            assert_true(r > 0);
            n += (size_t)r;
        }
        xt_buf_fini(&text);
    }
    agent_end_well(agent);
    server_stop();
    assert_true(expected > 400);
    assert_int_equal(t.n_events, expected);
    assert_false(t.broken_chain);
}

static void test_connection_lost(void **state)
{
    t.close_after = 2;
    server_start();
    child agent = agent_start(true);
    for (unsigned i = 0; i < N_EVENTS; i += 100) {
        feed(&agent, i + 1, i + 100);
        poll(NULL, 0, 20);
    }
    poll(NULL, 0, 3000);
    agent_end_well(agent);
    t.close_after = 0;
    agent = agent_start(false);
    poll(NULL, 0, 500);
    agent_end_well(agent);
    server_stop();
    assert_true(t.n_connections > 3);
    assert_all_once(N_EVENTS);
}

/* A server that was set up anew from a backup does not know the stream: it gets a new one with what still waits. */
static void test_forgetful_server(void **state)
{
    server_start();
    child agent = agent_start(true);
    feed(&agent, 1, 100);
    agent_end_well(agent);
    xt_hash128 stream = t.stream;
    t.forget = true;
    agent = agent_start(false);
    feed(&agent, 101, 200);
    agent_end_well(agent);
    server_stop();
    assert_false(xt_hash128_eq(t.stream, stream));
    assert_all_once(200);
}

static void check_refusal(uint64_t reason, const char *words)
{
    t.refuse = reason;
    child agent = agent_start(true);
    assert_int_equal(agent_end(agent), 1);
    assert_true(log_has(words));
}

static void test_refusals(void **state)
{
    server_start();
    check_refusal(XT_REFUSED_TOKEN_UNKNOWN, "does not know this enrolment token");
    check_refusal(XT_REFUSED_TOKEN_EXPIRED, "expired");
    check_refusal(XT_REFUSED_TOKEN_USED, "used up");
    check_refusal(XT_REFUSED_VERSION, "another version");
    server_stop();
}

static bool is_there(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/shipper/%s", t.dir, name);
    return access(path, F_OK) == 0;
}

/* Feeds until the server has seen what is waited for. */
static unsigned feed_until(const child *agent, const unsigned *n, unsigned wanted)
{
    unsigned fed = 0;
    for (bool seen = false; !seen && fed + 10 <= N_EVENTS; fed += 10) {
        feed(agent, fed + 1, fed + 10);
        poll(NULL, 0, 50);
        pthread_mutex_lock(&lock);
        seen = *n >= wanted;
        pthread_mutex_unlock(&lock);
    }
    return fed;
}

static void test_renewal(void **state)
{
    t.valid_s = 3;
    t.renews = RENEWS_WELL;
    server_start();
    child agent = agent_start(true);
    unsigned fed = feed_until(&agent, &t.n_proofs, 1);
    agent_end_well(agent);
    t.renews = RENEWS_NOT;
    agent = agent_start(false); /* and the new one is the one that stays */
    agent_end_well(agent);
    server_stop();
    assert_int_equal(t.n_renew, 1);
    assert_int_equal(t.n_proofs, 2);
    assert_true(is_there("identity.pem") && !is_there("next.pem") && !is_there("key.pem"));
    assert_all_once(fed);
}

/* A renewed certificate that the server then does not want: the one before it is used on. */
static void test_renewal_refused(void **state)
{
    t.valid_s = 3;
    t.renews = RENEWS_AND_REFUSES;
    server_start();
    child agent = agent_start(true);
    unsigned fed = feed_until(&agent, &t.n_hello, 2);
    agent_end_well(agent);
    server_stop();
    assert_int_equal(t.n_proofs, 1);
    assert_int_equal(t.n_hello, 2);
    assert_false(is_there("next.pem"));
    assert_true(log_has("the one before it is used again"));
    assert_all_once(fed);
}

static void test_certificate_of_another_key(void **state)
{
    t.valid_s = 3;
    t.renews = RENEWS_ANOTHER_KEY;
    server_start();
    child agent = agent_start(true);
    unsigned fed = feed_until(&agent, &t.n_renew, 2); /* asked for again */
    agent_end_well(agent);
    server_stop();
    assert_int_equal(t.n_proofs, 0);
    assert_false(is_there("next.pem"));
    assert_true(log_has("is not one for this host's new key"));
    assert_all_once(fed);
}

static void test_hostile_server(void **state)
{
    char path[128];
    XT_CLEANUP(xt_buf_fini) xt_buf ca = XT_BUF_INIT;
    t.hostile = true;
    t.renews = RENEWS_WELL;
    server_start();
    child agent = agent_start(true);
    feed(&agent, 1, 100);
    agent_end_well(agent);
    server_stop();
    assert_int_equal(t.n_hello, 1); /* the connection went on */
    assert_int_equal(t.n_renew, 0);
    assert_true(log_has("no CA trusted here vouches for"));
    snprintf(path, sizeof path, "%s/shipper/ca.pem", t.dir);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 65536, &ca), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&ca), xt_buf_slice(&t.ca)));
    assert_all_once(100);
}

/* What an agent of before left in its folder: key.pem and cert.pem. */
static void test_old_folder(void **state)
{
    char whole[128], key[128], cert[128];
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_slice rest, block;
    server_start();
    child agent = agent_start(true);
    agent_end_well(agent);
    snprintf(whole, sizeof whole, "%s/shipper/identity.pem", t.dir);
    snprintf(key, sizeof key, "%s/shipper/key.pem", t.dir);
    snprintf(cert, sizeof cert, "%s/shipper/cert.pem", t.dir);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, whole, 65536, &text), 0);
    rest = xt_buf_slice(&text);
    assert_true(xt_tls_pem_next(&rest, &block));
    assert_int_equal(xt_vfs_replace_file(&xt_vfs_system, key, block, 0644), 0);
    assert_true(xt_tls_pem_next(&rest, &block));
    assert_int_equal(xt_vfs_replace_file(&xt_vfs_system, cert, block, 0644), 0);
    assert_int_equal(remove(whole), 0);
    agent = agent_start(false);
    feed(&agent, 1, 50);
    agent_end_well(agent);
    server_stop();
    assert_int_equal(t.n_enrolled, 1);
    assert_all_once(50);
}

static void test_token_of_another_server(void **state)
{
    xt_token token = {.id = {1}, .ca_sha256 = {9}};
    xt_buf text = XT_BUF_ON(t.token);
    xt_token_format(&token, &text);
    server_start();
    child agent = agent_start(true);
    assert_int_equal(agent_end(agent), 1);
    assert_true(log_has("another CA"));
    t.token[10] ^= 1;
    agent = agent_start(true);
    assert_int_equal(agent_end(agent), 1);
    assert_true(log_has("token"));
    agent = agent_start(false);
    assert_int_equal(agent_end(agent), 1);
    assert_true(log_has("not enrolled"));
    server_stop();
    assert_int_equal(t.n_enrolled, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_enrol_and_ship, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gather, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_server, setup, teardown),
        cmocka_unit_test_setup_teardown(test_captures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connection_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgetful_server, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewal_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_certificate_of_another_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_server, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token_of_another_server, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
