/*
 * What an enrolled host may send before its hello and after it: frames of any type with any payload, or bytes that are none, over
 * real TLS to the door. Whatever comes, the door answers or closes, and nothing of another host's is touched.
 *
 * Input: one byte (1: a hello first; 2: bytes as they stand, else pieces), then pieces: u8 type, u16 LE bytes, payload.
 */
#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "io/tls.h"
#include "server/agents_private.h"
#include "server/app_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { HELLO_FIRST = 1, AS_IT_STANDS = 2, TURNS = 400, MOST_BYTES = 60000 };

static const xt_hash128 stream = {{1}}, others_stream = {{2}};

static struct {
    char dir[64], id[33], others_id[33];
    xt_app *app;
    struct event_base *base;
    xt_agents *agents;
    SSL_CTX *client;
} t;

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    return remove(path);
}

static void clean(void)
{
    xt_agents_close(t.agents);
    xt_app_close(t.app);
    event_base_free(t.base);
    SSL_CTX_free(t.client);
    nftw(t.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A host that has been let in, and its certificate. */
static void add_host(const char *name, xt_slice csr, xt_buf *cert, char ret_id[static 33])
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_enroll enroll = {.version = XT_WIRE_VERSION, .csr_der = csr, .host_name = xt_slice_str(name)};
    int r = xt_state_begin(t.app->state, &problem);
    r = r ? r : xt_hosts_enroll(t.app->hosts, &enroll, name, "-", "", ret_id, &problem);
    r = xt_state_end(t.app->state, r, &problem);
    r = r ? r : xt_hosts_admit(t.app->hosts, &enroll, name, "-", "", ret_id);
    r = r ? r : xt_pki_sign(&t.app->pki, csr, xt_slice_str(ret_id), cert, &problem);
    if (r)
        abort();
}

static void begin(void)
{
    XT_CLEANUP(xt_buf_fini)
    xt_buf key = XT_BUF_INIT, csr = XT_BUF_INIT, cert = XT_BUF_INIT, other = XT_BUF_INIT, ca = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;

    signal(SIGPIPE, SIG_IGN);
    xt_log_init("fuzz", XT_LOG_ERROR);
    snprintf(t.dir, sizeof t.dir, "/tmp/xt-handshake-XXXXXX");
    if (!mkdtemp(t.dir))
        abort();
    xt_app_settings settings = {.data = t.dir, .no_own_rules = true};
    t.base = event_base_new();
    int r = xt_app_open(&settings, &t.app, &problem);
    r = r ? r : xt_agents_open(t.app, t.base, "127.0.0.1:0", &t.agents, &problem);
    r = r ? r : xt_tls_key_make(&key);
    r = r ? r : xt_tls_csr_make(xt_buf_slice(&key), XT_S("fuzz"), &csr);
    if (r)
        abort();
    add_host("fuzz", xt_buf_slice(&csr), &cert, t.id);
    add_host("other", xt_buf_slice(&csr), &other, t.others_id);
    xt_pki_bundle_put(&t.app->pki, &ca);
    if (xt_tls_client_context(xt_buf_slice(&ca), xt_buf_slice(&cert), xt_buf_slice(&key), &t.client, &problem))
        abort();
    atexit(clean);
}

static void put_hello(xt_buf *out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    xt_hello hello = {.version = XT_WIRE_VERSION,
                      .host_id = xt_slice_str(t.id),
                      .host_name = XT_S("fuzz"),
                      .boot_id = XT_S("b"),
                      .features = UINT64_MAX,
                      .stream = stream};
    xt_hello_put(&payload, &hello);
    xt_frame_put(out, XT_FRAME_HELLO, xt_buf_slice(&payload));
}

static void put_pieces(xt_slice input, xt_buf *out)
{
    xt_reader reader = xt_reader_of(input);
    while (xt_reader_left(&reader) > 3) {
        uint8_t type = xt_reader_u8(&reader);
        size_t n = xt_reader_u16(&reader), left = xt_reader_left(&reader);
        xt_frame_put(out, (xt_frame_type)type, xt_reader_bytes(&reader, n < left ? n : left));
    }
}

/* Both ends in turn, until the client has sent all, said that it is through and heard that the server is. */
static void talk(SSL *ssl, int fd, xt_slice bytes)
{
    char piece[4096];
    bool shaken = false, ended = false;
    for (unsigned i = 0; i < TURNS; i++) {
        ERR_clear_error();
        event_base_loop(t.base, EVLOOP_NONBLOCK);
        shaken = shaken || SSL_connect(ssl) == 1;
        int n = shaken && bytes.n ? SSL_write(ssl, bytes.p, (int)bytes.n) : 0;
        if (n > 0)
            bytes = xt_slice_skip(bytes, (size_t)n);
        if (shaken && !bytes.n && !ended) {
            shutdown(fd, SHUT_WR);
            ended = true;
        }
        n = shaken ? SSL_read(ssl, piece, sizeof piece) : -1;
        if (n <= 0 && shaken && SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ)
            return;
        if (shaken && n <= 0)
            usleep(50); /* the writer may be at it */
    }
}

static void run(xt_slice bytes)
{
    int fds[2];
    xt_agent_link *link = NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
        abort();
    if (xt_agent_link_open(t.agents, t.agents->context, fds[0], "fuzz", &link))
        abort();
    SSL *ssl = SSL_new(t.client);
    if (!ssl || SSL_set_fd(ssl, fds[1]) != 1)
        abort();
    talk(ssl, fds[1], bytes);
    SSL_free(ssl);
    close(fds[1]);
    for (unsigned i = 0; i < TURNS && t.agents->links; i++)
        event_base_loop(t.base, EVLOOP_NONBLOCK);
    assert(!t.agents->links && !t.agents->paused_first && t.agents->n_new == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT;
    uint64_t number = 0;
    xt_hash128 hash;

    if (n == 0 || n > MOST_BYTES)
        return 0;
    if (!t.app)
        begin();
    if (data[0] & HELLO_FIRST)
        put_hello(&bytes);
    if (data[0] & AS_IT_STANDS)
        xt_buf_put(&bytes, xt_slice_of(data + 1, n - 1));
    else
        put_pieces(xt_slice_of(data + 1, n - 1), &bytes);
    if (xt_buf_done(&bytes) == 0)
        run(xt_buf_slice(&bytes));
    int r = xt_store_stream_get(t.app->store, others_stream, &number, &hash);
    assert(r == 0 && number == 0);
    return 0;
}
