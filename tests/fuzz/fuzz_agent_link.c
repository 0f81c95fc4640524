/*
 * What a server may answer an agent over real TLS: frames of any type with any payload, or bytes that are none, before its
 * welcome and after it, to a host that is enrolled and to one that enrols. Whatever comes, nothing is believed that nobody signed.
 *
 * Input: one byte (1: a welcome first; 2: bytes as they stand, else pieces; 4: the host is to enrol), then pieces: u8 type,
 * u16 LE bytes, payload. Type 200 is a TRUST of the CAs that there are.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <ftw.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/helper.h"
#include "agent/link.h"
#include "agent/link_bounds.h"
#include "base/log.h"
#include "io/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum {
    WELCOME_FIRST = 1,
    AS_IT_STANDS = 2,
    ENROLS = 4,
    TURNS = 3000,
    OUR_TRUST = 200,
    LAST_TURNS = 40,
    MOST_BYTES = 60000
};

#define HOST_ID "00112233445566778899aabbccddeeff"

static struct {
    char dir[64];
    struct event_base *base;
    SSL_CTX *server;
    int listener;
    struct sockaddr_in address;
    xt_buf ca, key, cert;
    xt_token token;
    xt_agent_settings settings;
    bool fatal;
} t;

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    return remove(path);
}

static void clean(void)
{
    event_base_free(t.base);
    SSL_CTX_free(t.server);
    close(t.listener);
    nftw(t.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    xt_buf *const all[] = {&t.ca, &t.key, &t.cert};
    for (size_t i = 0; i < XT_COUNT_OF(all); i++)
        xt_buf_fini(all[i]);
}

static void make_keys(void)
{
    XT_CLEANUP(xt_buf_fini)
    xt_buf ca_key = XT_BUF_INIT, key = XT_BUF_INIT, cert = XT_BUF_INIT, csr = XT_BUF_INIT;
    int r = xt_tls_key_make(&ca_key);
    r = r ? r : xt_tls_ca_make(xt_buf_slice(&ca_key), &t.ca);
    r = r ? r : xt_tls_key_make(&key);
    r = r ? r
          : xt_tls_server_cert_make(xt_buf_slice(&t.ca), xt_buf_slice(&ca_key), xt_buf_slice(&key), "localhost", 30,
                                    &cert, NULL);
    r = r ? r : xt_tls_server_context(xt_buf_slice(&t.ca), xt_buf_slice(&cert), xt_buf_slice(&key), &t.server, NULL);
    r = r ? r : xt_tls_key_make(&t.key);
    r = r ? r : xt_tls_csr_make(xt_buf_slice(&t.key), XT_S("fuzz"), &csr);
    r = r ? r
          : xt_tls_host_cert_make(xt_buf_slice(&t.ca), xt_buf_slice(&ca_key), xt_buf_slice(&csr), XT_S(HOST_ID),
                                  30 * 86400, &t.cert, NULL);
    r = r ? r : xt_tls_fingerprint(xt_buf_slice(&t.ca), t.token.ca_sha256);
    if (r)
        abort();
}

static void begin(void)
{
    socklen_t n = sizeof t.address;

    signal(SIGPIPE, SIG_IGN);
    xt_log_init("fuzz", XT_LOG_ERROR);
    snprintf(t.dir, sizeof t.dir, "/tmp/xt-agent-link-XXXXXX");
    t.base = event_base_new();
    t.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    t.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (!mkdtemp(t.dir) || !t.base || bind(t.listener, (struct sockaddr *)&t.address, n) || listen(t.listener, 8) ||
        getsockname(t.listener, (struct sockaddr *)&t.address, &n))
        abort();
    make_keys();
    t.settings.servers = "fuzz:1";
    snprintf(t.settings.host_name, sizeof t.settings.host_name, "fuzz");
    atexit(clean);
}

/* ------------------------------------------------------------------------------------------------ the agent's calls */

static void on_enrolled(void *context)
{
    abort(); /* no input holds a certificate for the key that was made just now */
}

static void on_hello(void *context, xt_hello *hello)
{
    hello->audit_mode = XT_S("text");
}

static void on_welcome(void *context, const xt_welcome *welcome)
{
}

static bool on_ack(void *context, const xt_ack *ack)
{
    return ack->number % 2;
}

static void on_payload(void *context, xt_slice payload)
{
    assert(payload.n <= XT_LINK_READ_BYTES);
}

static void on_trust(void *context, xt_slice payload)
{
    xt_trust trust; /* only what is trusted already can come here: nobody signed anything else */
    assert(xt_trust_decode(payload, &trust, NULL) == 0 && xt_slice_eq(trust.ca_pem, xt_buf_slice(&t.ca)));
}

static void nothing(void *context)
{
}

static void on_fatal(void *context)
{
    t.fatal = true;
}

/* ------------------------------------------------------------------------------------------------ the server's part */

/* Where the helper would say that the server is. */
static void answer_helper(int fd)
{
    xt_helper_answer question;
    char bytes[128];
    xt_buf out = XT_BUF_ON(bytes);
    if (xt_helper_take(fd, 0, &question))
        return;
    xt_buf_put_u8(&out, (uint8_t)sizeof t.address);
    xt_buf_put(&out, xt_slice_of(&t.address, sizeof t.address));
    if (xt_helper_ask(fd, XT_HELPER_ADDRESS, question.number, xt_buf_slice(&out)))
        abort();
}

static void put_welcome(xt_buf *out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    const xt_welcome welcome = {.version = 1, .window = 4, .features = UINT64_MAX};
    xt_welcome_put(&payload, &welcome);
    xt_frame_put(out, XT_FRAME_WELCOME, xt_buf_slice(&payload));
}

/* The CAs that there are, and that the host should take a new certificate. */
static void put_trust(xt_buf *out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    const xt_trust trust = {.ca_pem = xt_buf_slice(&t.ca), .renew = 1};
    xt_trust_put(&payload, &trust);
    xt_frame_put(out, XT_FRAME_TRUST, xt_buf_slice(&payload));
}

static void put_pieces(xt_slice input, xt_buf *out)
{
    xt_reader reader = xt_reader_of(input);
    while (xt_reader_left(&reader) > 3) {
        uint8_t type = xt_reader_u8(&reader);
        size_t n = xt_reader_u16(&reader), left = xt_reader_left(&reader);
        if (type == OUR_TRUST)
            put_trust(out);
        else
            xt_frame_put(out, (xt_frame_type)type, xt_reader_bytes(&reader, n < left ? n : left));
    }
}

/* Waits for the agent to connect. */
static SSL *take_connection(int helper_fd, int *ret_fd)
{
    for (unsigned i = 0; i < TURNS; i++) {
        event_base_loop(t.base, EVLOOP_NONBLOCK);
        answer_helper(helper_fd);
        *ret_fd = accept4(t.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (*ret_fd >= 0) {
            SSL *ssl = SSL_new(t.server);
            if (!ssl || SSL_set_fd(ssl, *ret_fd) != 1)
                abort();
            return ssl;
        }
        usleep(50);
    }
    return NULL;
}

/* Both ends in turn, until all is sent and the agent has had time to work on it, or closed. */
static void talk(SSL *ssl, xt_slice bytes)
{
    char piece[4096];
    bool shaken = false;
    for (unsigned i = 0, after = 0; i < TURNS && after < LAST_TURNS; i++) {
        ERR_clear_error();
        event_base_loop(t.base, EVLOOP_NONBLOCK);
        shaken = shaken || SSL_accept(ssl) == 1;
        int n = shaken ? SSL_read(ssl, piece, sizeof piece) : -1;
        if (n <= 0 && shaken && SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ)
            return;
        n = shaken && bytes.n ? SSL_write(ssl, bytes.p, (int)bytes.n) : 0;
        if (n > 0)
            bytes = xt_slice_skip(bytes, (size_t)n);
        after += shaken && !bytes.n;
    }
}

static void run(xt_slice bytes, bool enrols)
{
    const xt_link_calls calls = {on_enrolled, on_hello, on_welcome, on_ack, on_payload,
                                 on_trust,    nothing,  on_fatal,   NULL};
    xt_identity identity = {.host_id = ""};
    int helper[2], fd = -1;
    xt_link *link = NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, helper))
        abort();
    xt_buf_put(&identity.ca, xt_buf_slice(&t.ca));
    if (!enrols) {
        xt_buf_put(&identity.key, xt_buf_slice(&t.key));
        xt_buf_put(&identity.cert, xt_buf_slice(&t.cert));
        memcpy(identity.host_id, HOST_ID, sizeof identity.host_id);
    }
    if (xt_link_new(t.base, &t.settings, helper[0], &identity, enrols ? &t.token : NULL, &calls, &link, NULL))
        abort();
    t.fatal = false;
    xt_link_start(link, true);
    SSL *ssl = take_connection(helper[1], &fd);
    if (ssl)
        talk(ssl, bytes);
    SSL_free(ssl);
    assert(xt_slice_eq(xt_buf_slice(&identity.ca), xt_buf_slice(&t.ca)));
    assert(enrols || xt_slice_eq(xt_buf_slice(&identity.cert), xt_buf_slice(&t.cert)));
    assert(!xt_identity_has_next(&identity));
    assert(!t.fatal || !xt_link_is_up(link));
    xt_link_free(link);
    if (fd >= 0)
        close(fd);
    close(helper[0]);
    close(helper[1]);
    xt_identity_fini(&identity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT;
    char before[4096];

    if (n == 0 || n > MOST_BYTES)
        return 0;
    if (!t.base)
        begin();
    if (!getcwd(before, sizeof before) || chdir(t.dir)) /* the identity's files stand in the working folder */
        abort();
    if (data[0] & WELCOME_FIRST)
        put_welcome(&bytes);
    if (data[0] & AS_IT_STANDS)
        xt_buf_put(&bytes, xt_slice_of(data + 1, n - 1));
    else
        put_pieces(xt_slice_of(data + 1, n - 1), &bytes);
    if (xt_buf_done(&bytes) == 0)
        run(xt_buf_slice(&bytes), data[0] & ENROLS);
    if (chdir(before))
        abort();
    return 0;
}
