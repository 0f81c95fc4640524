/*
 * io/tls - TLS 1.3 contexts and small certificates
 *
 * Shape:     P-256 keys; a CA a server makes for itself, and for a while a second one that takes its place; server certificates carry serverAuth and the role in the
 *            organisational unit ("exectrail server"), host certificates clientAuth only, the common name being the host id: no host's
 *            certificate passes for a server. Buffers are released when idle, no tickets, TCP_NODELAY by the caller.
 * Errors:    <0 errno; -EBADMSG a PEM that does not hold together; problems name the file or the peer's fault.
 * Ownership: PEM texts go into xt_buf; contexts are OpenSSL's and freed with SSL_CTX_free.
 * Threads:   contexts may be shared; the rest one at a time.
 */
#pragma once
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/problem.h"

#define XT_TLS_SERVER_UNIT "exectrail server"

XT_MUST_USE int xt_tls_key_make(xt_buf *ret_key_pem);
XT_MUST_USE int xt_tls_ca_make(xt_slice key_pem, xt_buf *ret_cert_pem);
XT_MUST_USE int xt_tls_csr_make(xt_slice key_pem, xt_slice common_name, xt_buf *ret_der);
/* SHA-256 of a CSR's public key, which its signature proves; -EBADMSG when it does not. */
XT_MUST_USE int xt_tls_csr_key(xt_slice csr_der, uint8_t ret[static 32], xt_problem *reterr_problem);
/*
 * Signs the public key of a CSR (its own names are not trusted) as host `host_id`, clientAuth only. It begins a day before now
 * (a tenth of valid_s where that is less), so that a host whose clock is behind does not refuse it.
 */
XT_MUST_USE int xt_tls_host_cert_make(xt_slice ca_cert_pem, xt_slice ca_key_pem, xt_slice csr_der, xt_slice host_id,
                                      int64_t valid_s, xt_buf *ret_cert_pem, xt_problem *reterr_problem);
/* names: comma-separated DNS names and IP addresses for subjectAltName. */
XT_MUST_USE int xt_tls_server_cert_make(xt_slice ca_cert_pem, xt_slice ca_key_pem, xt_slice server_key_pem,
                                        const char *names, int days, xt_buf *ret_cert_pem, xt_problem *reterr_problem);
/* SHA-256 of the certificate's DER, 32 bytes: what an enrolment token pins. */
XT_MUST_USE int xt_tls_fingerprint(xt_slice cert_pem, uint8_t ret[static 32]);

/*
 * Server side: client certificates are asked for. One that is not good does not end the handshake: xt_tls_peer_get says what is
 * wrong with it, and the server can answer in words (enrolment comes without one). ca_pem: the first is sent to clients,
 * each is trusted.
 */
XT_MUST_USE int xt_tls_server_context(xt_slice ca_pem, xt_slice cert_pem, xt_slice key_pem, SSL_CTX **ret,
                                      xt_problem *reterr_problem);
/* Client side with the CAs known; cert and key may be empty (enrolment). Peer must be serverAuth with XT_TLS_SERVER_UNIT. */
XT_MUST_USE int xt_tls_client_context(xt_slice ca_pem, xt_slice cert_pem, xt_slice key_pem, SSL_CTX **ret,
                                      xt_problem *reterr_problem);
/* Client side before the CA is known: the chain the server sends must hold a CA certificate of this fingerprint, and its leaf the server role under it. */
XT_MUST_USE int xt_tls_pinned_context(const uint8_t fingerprint[static 32], SSL_CTX **ret, xt_problem *reterr_problem);
/* Common name of the peer's verified certificate (host id), empty when it sent none. Into ret (NUL-ended). */
void xt_tls_peer_name(const SSL *ssl, char *ret, size_t n);
/* Why a handshake failed, from OpenSSL's error queue and the verify result, in words a person can act on. */
void xt_tls_problem(const SSL *ssl, xt_problem *reterr_problem);
/* The same for an error code that was taken off the queue before (libevent does). 0: the peer went away. */
void xt_tls_problem_of(const SSL *ssl, unsigned long code, xt_problem *reterr_problem);
