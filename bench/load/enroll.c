/* One host after the other, over blocking connections: what is measured comes later. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"
#include "wire/token.h"

#define ANSWER_BYTES 65536

int xt_load_read(const char *path, xt_buf *out, xt_problem *reterr_problem)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char piece[8192];
    ssize_t n = -1;
    while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
        xt_buf_put(out, xt_slice_of(piece, (size_t)n));
    int r = n < 0 ? -errno : xt_buf_done(out);
    if (fd >= 0)
        close(fd);
    if (r < 0)
        xt_problem_set(reterr_problem, "%s cannot be read: %s", path, strerror(-r));
    return r;
}

int xt_load_connect(const xt_load_settings *settings, int *ret_fd, xt_problem *reterr_problem)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(settings->host, settings->port, &hints, &found) != 0) {
        xt_problem_set(reterr_problem, "%s has no address", settings->host);
        return -EINVAL;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 ? 0 : -errno;
    freeaddrinfo(found);
    if (r < 0) {
        if (fd >= 0)
            close(fd);
        xt_problem_set(reterr_problem, "cannot connect to port %s: %s", settings->port, strerror(-r));
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static int write_key(const xt_load_settings *settings, const char *name, xt_slice key, xt_slice cert)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.pem", settings->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool done = fd >= 0 && write(fd, key.p, key.n) == (ssize_t)key.n && write(fd, cert.p, cert.n) == (ssize_t)cert.n;
    if (fd >= 0)
        close(fd);
    return done ? 0 : xt_error_origin(-EIO);
}

/* The answer's frame, whose payload is in `in`. */
static int exchange(SSL *ssl, xt_slice request, xt_buf *in, xt_frame *ret, xt_problem *reterr_problem)
{
    size_t taken;
    if (SSL_connect(ssl) != 1 || SSL_write(ssl, request.p, (int)request.n) != (int)request.n) {
        xt_tls_problem(ssl, reterr_problem);
        return -EPROTO;
    }
    for (;;) {
        int r = in->n ? xt_frame_next(xt_buf_slice(in), ret, &taken, reterr_problem) : XT_FRAME_E_MORE;
        if (r != XT_FRAME_E_MORE)
            return r > 0 ? -EPROTO : r;
        char *room = xt_buf_reserve(in, ANSWER_BYTES);
        int n = room ? SSL_read(ssl, room, ANSWER_BYTES) : 0;
        if (n <= 0)
            return xt_error_origin(-EPROTO);
        in->n += (size_t)n;
    }
}

static int accept_answer(const xt_load_settings *settings, const char *name, const xt_frame *frame, xt_slice key)
{
    xt_enrolled enrolled;
    if (frame->type != XT_FRAME_ENROLLED || xt_enrolled_decode(frame->payload, &enrolled, NULL) != 0)
        return xt_error_origin(-EPROTO);
    int r = write_key(settings, name, key, enrolled.cert_pem);
    if (r == 0)
        r = write_key(settings, "ca", enrolled.ca_pem, XT_S_NULL);
    printf("%s %.*s\n", name, XT_S_ARGS(enrolled.host_id));
    return r;
}

static int make_request(const xt_token *token, const char *name, xt_buf *key, xt_buf *out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf csr = XT_BUF_INIT, payload = XT_BUF_INIT;
    uint8_t secret[32];
    memcpy(secret, token->id, 16);
    memcpy(secret + 16, token->secret, 16);
    int r = xt_tls_key_make(key);
    if (r == 0)
        r = xt_tls_csr_make(xt_buf_slice(key), xt_slice_str(name), &csr);
    if (r < 0)
        return xt_error_trace(r);
    xt_enroll_put(&payload, &(xt_enroll){.version = XT_WIRE_VERSION,
                                         .secret = xt_slice_of(secret, sizeof secret),
                                         .csr_der = xt_buf_slice(&csr),
                                         .host_name = xt_slice_str(name),
                                         .machine_id = xt_slice_str(name),
                                         .os = XT_S("Linux")});
    xt_frame_put(out, XT_FRAME_ENROLL, xt_buf_slice(&payload));
    return xt_buf_done(out);
}

static int enroll_one(const xt_load_settings *settings, SSL_CTX *tls, const xt_token *token, const char *name,
                      xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf key = XT_BUF_INIT, request = XT_BUF_INIT, in = XT_BUF_INIT;
    xt_frame frame;
    int fd = -1, r = make_request(token, name, &key, &request);
    if (r == 0)
        r = xt_load_connect(settings, &fd, reterr_problem);
    if (r < 0)
        return r;
    SSL *ssl = SSL_new(tls);
    if (!ssl || SSL_set_fd(ssl, fd) != 1)
        r = xt_error_origin(-ENOMEM);
    if (r == 0)
        r = exchange(ssl, xt_buf_slice(&request), &in, &frame, reterr_problem);
    if (r == 0)
        r = accept_answer(settings, name, &frame, xt_buf_slice(&key));
    SSL_free(ssl);
    close(fd);
    return r;
}

int xt_load_enroll(const xt_load_settings *settings, xt_problem *reterr_problem)
{
    xt_slice rest = xt_slice_str(settings->names), line;
    xt_token token;
    SSL_CTX *tls = NULL;
    int r = xt_token_parse(xt_slice_str(settings->token), &token, reterr_problem);
    if (r == 0)
        r = xt_tls_pinned_context(token.ca_sha256, &tls, reterr_problem);
    while (r == 0 && xt_slice_cut(&rest, '\n', &line) && line.n) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", XT_S_ARGS(line));
        r = enroll_one(settings, tls, &token, name, reterr_problem);
    }
    SSL_CTX_free(tls);
    return xt_error_fold(r);
}
