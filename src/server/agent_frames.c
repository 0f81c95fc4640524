/*
 * Who speaks is decided by the certificate alone: the hello repeats the host id so that a mix-up is named, but nothing is
 * done on its word.
 */
#include <errno.h>

#include "base/log.h"
#include "base/timestamp.h"
#include "io/tls.h"
#include "io/tls_trust.h"
#include "server/agents_private.h"
#include "server/app_parts.h"
#include "server/secret.h"
#include "server/tokens.h"

enum {
    RETRY_GAP_MS = 100,
    RETRY_BUSY_MS = 5000,
    RETRY_CORRUPT_MS = 60000,
    RETRY_IDENTITY_MS = 60000, /* somebody has to do something first */
    RETRY_CLONED_MS = 30000,
    RETRY_DICTIONARY_MS = 60000,
    RENEW_AGAIN_MS = 1000, /* a host asks for no more certificates than that */
    MAX_BEAT_BYTES = 262144,
};

static void refuse_version(xt_agent_link *link)
{
    xt_agent_link_refuse(link, XT_REFUSED_VERSION, 0, NULL);
}

static void refuse_message(xt_agent_link *link)
{
    xt_agent_link_refuse(link, XT_REFUSED_CORRUPT, RETRY_CORRUPT_MS, "a message does not hold together");
}

/* A problem of the server's own: the agent may come back, the server's log says why. */
static void refuse_error(xt_agent_link *link, const xt_problem *problem, int r)
{
    xt_log(XT_LOG_ERROR, "agent %s: %s", link->address,
           xt_problem_is_set(problem) ? problem->sentence : strerror(r < 0 ? -r : EINVAL));
    xt_agent_link_refuse(link, XT_REFUSED_BUSY, RETRY_BUSY_MS, "it cannot do this now, and its log says why");
}

static void refuse_enrolment(xt_agent_link *link, int outcome, const xt_problem *problem)
{
    xt_refusal reason = outcome == XT_APP_E_NOT_FOUND       ? XT_REFUSED_TOKEN_UNKNOWN
                        : outcome == XT_APP_E_EXPIRED       ? XT_REFUSED_TOKEN_EXPIRED
                        : outcome == XT_APP_E_USED          ? XT_REFUSED_TOKEN_USED
                        : outcome == XT_TOKENS_E_REVOKED    ? XT_REFUSED_REVOKED
                        : outcome == XT_TOKENS_E_OTHER_HOST ? XT_REFUSED_UNKNOWN
                                                            : XT_REFUSED_CORRUPT;
    bool more = reason == XT_REFUSED_UNKNOWN || reason == XT_REFUSED_CORRUPT;

    xt_agent_link_refuse(link, reason, 0, more ? problem->sentence : NULL);
}

static void enroll(xt_agent_link *link, xt_slice payload)
{
    XT_CLEANUP(xt_buf_fini) xt_buf cert = XT_BUF_INIT, bundle = XT_BUF_INIT, out = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_app *app = link->agents->app;
    char host_id[33];
    xt_enroll m;

    if (xt_enroll_decode(payload, &m, &problem)) {
        refuse_message(link);
        return;
    }
    if (m.version != XT_WIRE_VERSION) {
        refuse_version(link);
        return;
    }
    int r = xt_tokens_enroll(app, &m, link->address, host_id, &cert, &problem);
    if (r < 0) {
        refuse_error(link, &problem, r);
    } else if (r > 0) {
        refuse_enrolment(link, r, &problem);
    } else {
        xt_pki_bundle_put(&app->pki, &bundle);
        xt_enrolled enrolled = {
            .host_id = xt_slice_str(host_id), .cert_pem = xt_buf_slice(&cert), .ca_pem = xt_buf_slice(&bundle)};
        xt_log(XT_LOG_INFO, "agent %s enrolled as host %s", link->address, host_id);
        xt_enrolled_put(&out, &enrolled);
        xt_agent_link_send(link, XT_FRAME_ENROLLED, &out);
        xt_agent_link_leave(link); /* the certificate is for the next connection */
    }
}

/* What is wrong with the certificate, with both clocks where time is: one of them is to blame. */
static void refuse_certificate(xt_agent_link *link, const xt_tls_peer *peer)
{
    char text[160], from[25], to[25], now[25];
    xt_buf detail = XT_BUF_ON(text);

    xt_timestamp_format(peer->from_ms, from);
    xt_timestamp_format(peer->to_ms, to);
    xt_timestamp_format(xt_clock_wall_ms(&xt_clock_system), now);
    xt_buf_printf(&detail, "it is valid from %s to %s, and here it is %s", from, to, now);
    text[detail.n] = '\0';
    if (peer->fault == XT_TLS_PEER_EXPIRED)
        xt_agent_link_refuse(link, XT_REFUSED_EXPIRED, RETRY_IDENTITY_MS, text);
    else if (peer->fault == XT_TLS_PEER_EARLY)
        xt_agent_link_refuse(link, XT_REFUSED_EARLY, RETRY_IDENTITY_MS, text);
    else if (peer->fault == XT_TLS_PEER_CA)
        xt_agent_link_refuse(link, XT_REFUSED_CA, RETRY_IDENTITY_MS, NULL);
    else
        xt_agent_link_refuse(link, XT_REFUSED_IDENTITY, 0, NULL);
}

static void refuse_host(xt_agent_link *link, xt_slice id, uint64_t reason)
{
    xt_hosts_refused(link->agents->app->hosts, id, reason);
    xt_agent_link_refuse(link, reason,
                         reason == XT_REFUSED_CLONED        ? RETRY_CLONED_MS
                         : reason == XT_REFUSED_QUARANTINED ? RETRY_IDENTITY_MS
                                                            : 0,
                         NULL);
}

/* Is the certificate good, and of the host that the hello names? */
static bool identify(xt_agent_link *link, const xt_hello *hello, xt_tls_peer *ret)
{
    xt_tls_peer_get(link->ssl, ret);
    if (ret->fault != XT_TLS_PEER_GOOD) {
        xt_hosts_refused(link->agents->app->hosts, xt_slice_str(ret->name),
                         ret->fault == XT_TLS_PEER_EXPIRED ? XT_REFUSED_EXPIRED
                         : ret->fault == XT_TLS_PEER_EARLY ? XT_REFUSED_EARLY
                         : ret->fault == XT_TLS_PEER_CA    ? XT_REFUSED_CA
                                                           : XT_REFUSED_IDENTITY);
        refuse_certificate(link, ret);
        return false;
    }
    if (xt_slice_eq(hello->host_id, xt_slice_str(ret->name)))
        return true;
    xt_agent_link_refuse(link, XT_REFUSED_IDENTITY, 0, NULL);
    return false;
}

/* older_is_clone: the connection that there is is another machine's. */
static int take_place(xt_agent_link *link, xt_slice host_id, bool older_is_clone)
{
    xt_agents *agents = link->agents;
    xt_agent_link *older = xt_map_find(&agents->by_host, host_id);

    if (older && older_is_clone)
        xt_agent_link_refuse(older, XT_REFUSED_CLONED, RETRY_CLONED_MS, NULL);
    else if (older) {
        xt_map_remove(&agents->by_host, host_id); /* its end is not the host's */
        xt_agent_link_close(older);               /* a connection that the host has given up */
    }
    xt_text_copy(link->host_id, sizeof link->host_id, host_id);
    xt_agent_link_known(link);
    link->phase = XT_AGENT_TALKING;
    link->deadline_ms = 0;
    return xt_error_trace(xt_map_put(&agents->by_host, xt_slice_str(link->host_id), link, NULL));
}

static void hex(const uint8_t bytes[static 32], char ret[static 65])
{
    xt_buf out = {.p = ret, .cap = 65, .max_bytes = 64};

    xt_buf_put_hex(&out, xt_slice_of(bytes, 32));
    ret[out.n] = '\0';
}

/* What the connection is known by from now on. */
static void keep_hello(xt_agent_link *link, const xt_hello *hello, const xt_tls_peer *peer)
{
    int64_t now_ms = xt_clock_wall_ms(&xt_clock_system), span_ms = peer->to_ms - peer->from_ms;
    char ca[XT_PKI_ID_DIGITS + 1], key[65];

    xt_text_copy(link->boot_id, sizeof link->boot_id, hello->boot_id);
    xt_text_copy(link->machine_id, sizeof link->machine_id, hello->machine_id);
    link->features = hello->features;
    link->is_old = now_ms - peer->from_ms > span_ms / 6 * 5; /* agents begin at two thirds */
    memcpy(link->ca_sha256, peer->ca_sha256, sizeof link->ca_sha256);
    xt_pki_id(peer->ca_sha256, ca);
    hex(peer->key_sha256, key);
    xt_hosts_certificate(link->agents->app->hosts, hello->host_id, ca, peer->to_ms, key);
}

void xt_agent_send_trust(xt_agent_link *link, uint64_t spread_ms)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_pki *pki = &link->agents->app->pki;
    bool signs;

    if (!(link->features & XT_FEATURE_RENEWAL))
        return;
    (void)xt_pki_knows(pki, link->ca_sha256, &signs);
    xt_pki_trust_put(pki, !signs || link->is_old, spread_ms, &out);
    xt_agent_link_send(link, XT_FRAME_TRUST, &out);
}

static void welcome(xt_agent_link *link, const xt_hello *hello, const xt_welcome *message)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_pki *pki = &link->agents->app->pki;
    bool signs;

    (void)xt_pki_knows(pki, link->ca_sha256, &signs);
    bool tell = hello->trust != xt_pki_trust_hash(pki) || !signs || link->is_old;
    xt_welcome_put(&out, message);
    xt_agent_link_send(link, XT_FRAME_WELCOME, &out);
    if (tell)
        xt_agent_send_trust(link, 0);
}

static void hello(xt_agent_link *link, xt_slice payload)
{
    xt_welcome message = {.version = XT_WIRE_VERSION,
                          .window = XT_AGENT_WINDOW,
                          .features = XT_FEATURE_RENEWAL | XT_FEATURE_SHORT | XT_FEATURE_POLICY,
                          .gather_ms = link->agents->gather.ms};
    xt_app *app = link->agents->app;
    xt_tls_peer peer;
    bool other = false;
    xt_hello m;

    if (xt_hello_decode(payload, &m, NULL)) {
        refuse_message(link);
        return;
    }
    if (m.version != XT_WIRE_VERSION) {
        refuse_version(link);
        return;
    }
    if (!identify(link, &m, &peer))
        return;
    uint64_t busy_ms = xt_writer_busy_ms(app->writer);
    if (busy_ms) {
        xt_agent_link_refuse(link, XT_REFUSED_BUSY, busy_ms, "more comes than it can store, for some seconds already");
        return;
    }
    int r = xt_store_stream_get(app->store, m.stream, &message.number, &message.hash);
    if (r) {
        refuse_error(link, NULL, r);
        return;
    }
    uint64_t reason = xt_hosts_hello(app->hosts, &m, link->address, &other);
    if (reason) {
        refuse_host(link, m.host_id, reason);
        return;
    }
    r = take_place(link, m.host_id, other);
    if (r) {
        refuse_error(link, NULL, r);
        return;
    }
    keep_hello(link, &m, &peer);
    if (m.dictionary > XT_CODEC_ZSTD && xt_codec_is_known(m.dictionary))
        message.dictionary = m.dictionary;
    xt_short_begin(&link->form, m.stream, &message);
    welcome(link, &m, &message);
    xt_agent_send_policy(link);
}

bool xt_agent_is_welcome(xt_agent_link *link)
{
    xt_app *app = link->agents->app;
    bool signs;
    uint64_t reason = xt_hosts_refusal(app->hosts, xt_slice_str(link->host_id), xt_slice_str(link->boot_id),
                                       xt_slice_str(link->machine_id));

    if (reason == 0 && !xt_pki_knows(&app->pki, link->ca_sha256, &signs))
        reason = XT_REFUSED_CA;
    if (reason)
        refuse_host(link, xt_slice_str(link->host_id), reason);
    return reason == 0;
}

/* A certificate for a key that the request proves; for the host that the connection is, whatever the request says. */
static void renew(xt_agent_link *link, xt_slice payload)
{
    XT_CLEANUP(xt_buf_fini) xt_buf cert = XT_BUF_INIT, out = XT_BUF_INIT;
    xt_app *app = link->agents->app;
    xt_problem problem = XT_PROBLEM_INIT;
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
    xt_renew m;

    if (xt_renew_decode(payload, &m, NULL)) {
        refuse_message(link);
        return;
    }
    if (link->renewed_ms && now_ms - link->renewed_ms < RENEW_AGAIN_MS)
        return;
    link->renewed_ms = now_ms;
    if (xt_pki_sign(&app->pki, m.csr_der, xt_slice_str(link->host_id), &cert, &problem)) {
        xt_agent_link_refuse(link, XT_REFUSED_CORRUPT, RETRY_CORRUPT_MS, problem.sentence);
        return;
    }
    xt_log(XT_LOG_INFO, "agent %s host %s: its certificate is renewed", link->address, link->host_id);
    xt_renewed_put(&out, &(xt_renewed){.cert_pem = xt_buf_slice(&cert)});
    xt_agent_link_send(link, XT_FRAME_RENEWED, &out);
}

void xt_agent_send_policy(xt_agent_link *link)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_app *app = link->agents->app;
    xt_problem problem = XT_PROBLEM_INIT;

    link->policy_generation = xt_policies_generation(app->policies);
    if (!(link->features & XT_FEATURE_POLICY))
        return;
    int r = xt_policies_order(app->policies, xt_slice_str(link->host_id), &link->policy_serial, &out, &problem);
    if (r < 0)
        xt_log_problem(XT_LOG_ERROR, &problem);
    else if (r > 0)
        xt_agent_link_send(link, XT_FRAME_POLICY, &out);
}

static void policy_state(xt_agent_link *link, xt_slice payload)
{
    xt_policy_state m;

    if (xt_policy_state_decode(payload, &m, NULL))
        refuse_message(link);
    else if (m.serial && xt_policies_stated(link->agents->app->policies, xt_slice_str(link->host_id), &m))
        xt_log(XT_LOG_ERROR, "what host %s said of its policy is lost: no memory", link->host_id);
}

static void heartbeat(xt_agent_link *link, const xt_frame *frame)
{
    xt_heartbeat m;

    if (frame->payload.n > MAX_BEAT_BYTES ||
        xt_short_beat_take(&link->form, frame->payload, frame->type == XT_FRAME_HEARTBEAT_SHORT, &m, NULL))
        refuse_message(link);
    else
        xt_hosts_heartbeat(link->agents->app->hosts, xt_slice_str(link->host_id), &m);
}

/* What cannot be unpacked here is sent back at the door: another server of the list may be newer. */
static int batch(xt_agent_link *link, const xt_frame *frame)
{
    XT_CLEANUP(xt_buf_fini) xt_buf whole = XT_BUF_INIT;
    xt_slice payload = frame->payload;
    xt_batch head;
    int r = 0;

    if (!xt_agent_is_welcome(link))
        return 0;
    if (frame->type == XT_FRAME_BATCH_SHORT) {
        r = xt_short_batch_expand(&link->form, frame->payload, &whole, NULL);
        payload = xt_buf_slice(&whole);
    }
    if (r < 0)
        return -EAGAIN; /* memory may come back */
    if (r > 0 || xt_batch_decode(payload, &head, NULL)) {
        xt_agent_link_refuse(link, XT_REFUSED_CORRUPT, RETRY_CORRUPT_MS, "a batch does not hold together");
        return 0;
    }
    if (!xt_codec_is_known(head.codec)) {
        xt_agent_link_refuse(link, XT_REFUSED_DICTIONARY, RETRY_DICTIONARY_MS, NULL);
        return 0;
    }
    r = xt_agents_ingest(link, payload);
    if (r == 0)
        xt_short_batch_went(&link->form, head.number, payload);
    return r;
}

int xt_agent_frame(xt_agent_link *link, const xt_frame *frame)
{
    if (link->phase == XT_AGENT_NEW && frame->type == XT_FRAME_ENROLL)
        enroll(link, frame->payload);
    else if (link->phase == XT_AGENT_NEW && frame->type == XT_FRAME_HELLO)
        hello(link, frame->payload);
    else if (link->phase == XT_AGENT_NEW)
        xt_agent_link_refuse(link, XT_REFUSED_CORRUPT, RETRY_CORRUPT_MS,
                             "the first message is a hello or an enrolment");
    else if (frame->type == XT_FRAME_BATCH || frame->type == XT_FRAME_BATCH_SHORT)
        return batch(link, frame);
    else if ((frame->type == XT_FRAME_HEARTBEAT || frame->type == XT_FRAME_HEARTBEAT_SHORT) &&
             xt_agent_is_welcome(link))
        heartbeat(link, frame);
    else if (frame->type == XT_FRAME_RENEW && xt_agent_is_welcome(link))
        renew(link, frame->payload);
    else if (frame->type == XT_FRAME_POLICY_STATE && xt_agent_is_welcome(link))
        policy_state(link, frame->payload);
    return 0; /* a later version's message is passed over */
}

void xt_agent_refuse_outcome(xt_agent_link *link, int outcome)
{
    if (outcome == XT_STORE_E_GAP)
        xt_agent_link_refuse(link, XT_REFUSED_GAP, RETRY_GAP_MS, NULL);
    else if (outcome > 0)
        xt_agent_link_refuse(link, XT_REFUSED_CORRUPT, RETRY_CORRUPT_MS,
                             "a batch does not hold together, or is not this host's; the server's log says which");
    else
        xt_agent_link_refuse(link, XT_REFUSED_BUSY, RETRY_BUSY_MS, "it cannot store events now, and its log says why");
}
