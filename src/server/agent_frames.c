/*
 * Who speaks is decided by the certificate alone: the hello repeats the host id so that a mix-up is named, but nothing is
 * done on its word.
 */
#include <errno.h>

#include "base/log.h"
#include "io/tls.h"
#include "server/agents_private.h"
#include "server/app_parts.h"
#include "server/secret.h"
#include "server/tokens.h"

enum {
    RETRY_GAP_MS = 100,
    RETRY_BUSY_MS = 5000,
    RETRY_CORRUPT_MS = 60000,
};

static void refuse_version(xt_agent_link *link)
{
    xt_agent_link_refuse(link, XT_REFUSED_VERSION, 0,
                         "agent and server speak different versions; update the older one");
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
    xt_agent_link_refuse(link, XT_REFUSED_BUSY, RETRY_BUSY_MS, "the server cannot do this now; its log says why");
}

static void refuse_enrolment(xt_agent_link *link, int outcome, const xt_problem *problem)
{
    char sentence[700];
    xt_buf text = XT_BUF_ON(sentence);
    xt_refusal reason = outcome == XT_APP_E_NOT_FOUND ? XT_REFUSED_TOKEN_UNKNOWN
                        : outcome == XT_APP_E_EXPIRED ? XT_REFUSED_TOKEN_EXPIRED
                        : outcome == XT_APP_E_USED    ? XT_REFUSED_TOKEN_USED
                                                      : XT_REFUSED_CORRUPT;

    xt_buf_printf(&text, "%s%s%s", problem->sentence, problem->hint[0] ? "; " : "", problem->hint);
    xt_buf_putc(&text, '\0');
    sentence[sizeof sentence - 1] = '\0';
    xt_agent_link_refuse(link, reason, 0, sentence);
}

static void enroll(xt_agent_link *link, xt_slice payload)
{
    XT_CLEANUP(xt_buf_fini) xt_buf cert = XT_BUF_INIT, out = XT_BUF_INIT;
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
        xt_enrolled enrolled = {.host_id = xt_slice_str(host_id),
                                .cert_pem = xt_buf_slice(&cert),
                                .ca_pem = xt_buf_slice(&app->pki.ca_pem)};
        xt_enrolled_put(&out, &enrolled);
        xt_agent_link_send(link, XT_FRAME_ENROLLED, &out);
        xt_agent_link_leave(link); /* the certificate is for the next connection */
    }
}

/* Is the host of this certificate welcome? */
static bool identify(xt_agent_link *link, const xt_hello *hello)
{
    char name[128];

    xt_tls_peer_name(link->ssl, name, sizeof name);
    if (!name[0] || !xt_slice_eq(hello->host_id, xt_slice_str(name))) {
        xt_agent_link_refuse(link, XT_REFUSED_IDENTITY, 0,
                             name[0] ? "the certificate is another host's than the hello says"
                                     : "a hello needs the host's certificate; enrol first");
        return false;
    }
    int r = xt_hosts_check(link->agents->app->hosts, hello->host_id);
    if (r == XT_APP_E_DENIED)
        xt_agent_link_refuse(link, XT_REFUSED_REVOKED, 0, "this host's certificate has been revoked; enrol it again");
    else if (r)
        xt_agent_link_refuse(link, XT_REFUSED_IDENTITY, 0, "the server does not know this host; enrol it again");
    return r == 0;
}

static int take_place(xt_agent_link *link, xt_slice host_id)
{
    xt_agents *agents = link->agents;
    xt_agent_link *older = xt_map_find(&agents->by_host, host_id);

    if (older)
        xt_agent_link_close(older); /* a connection that the host has given up */
    xt_text_copy(link->host_id, sizeof link->host_id, host_id);
    agents->n_new--;
    link->phase = XT_AGENT_TALKING;
    evtimer_del(link->deadline);
    return xt_error_trace(xt_map_put(&agents->by_host, xt_slice_str(link->host_id), link, NULL));
}

static void hello(xt_agent_link *link, xt_slice payload)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_welcome welcome = {.version = XT_WIRE_VERSION, .window = XT_AGENT_WINDOW};
    xt_app *app = link->agents->app;
    xt_hello m;

    if (xt_hello_decode(payload, &m, NULL)) {
        refuse_message(link);
        return;
    }
    if (m.version != XT_WIRE_VERSION) {
        refuse_version(link);
        return;
    }
    if (!identify(link, &m))
        return;
    int r = xt_store_stream_get(app->store, m.stream, &welcome.number, &welcome.hash);
    if (r == 0)
        r = take_place(link, m.host_id);
    if (r) {
        refuse_error(link, NULL, r);
        return;
    }
    xt_hosts_hello(app->hosts, &m, link->address);
    xt_welcome_put(&out, &welcome);
    xt_agent_link_send(link, XT_FRAME_WELCOME, &out);
}

static bool is_welcome_still(xt_agent_link *link)
{
    if (xt_hosts_check(link->agents->app->hosts, xt_slice_str(link->host_id)) == 0)
        return true;
    xt_agent_link_refuse(link, XT_REFUSED_REVOKED, 0, "this host's certificate has been revoked; enrol it again");
    return false;
}

static void heartbeat(xt_agent_link *link, xt_slice payload)
{
    xt_heartbeat m;

    if (xt_heartbeat_decode(payload, &m, NULL))
        refuse_message(link);
    else
        xt_hosts_heartbeat(link->agents->app->hosts, xt_slice_str(link->host_id), &m);
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
    else if (frame->type == XT_FRAME_BATCH)
        return is_welcome_still(link) ? xt_agents_ingest(link, frame->payload) : 0;
    else if (frame->type == XT_FRAME_HEARTBEAT && is_welcome_still(link))
        heartbeat(link, frame->payload);
    return 0; /* a later version's message is passed over */
}

void xt_agent_refuse_outcome(xt_agent_link *link, int outcome)
{
    if (outcome == XT_STORE_E_GAP)
        xt_agent_link_refuse(link, XT_REFUSED_GAP, RETRY_GAP_MS, "a batch is missing before this one; say hello again");
    else if (outcome > 0)
        xt_agent_link_refuse(link, XT_REFUSED_CORRUPT, RETRY_CORRUPT_MS,
                             "a batch does not hold together, or is not this host's; the server's log says which");
    else
        xt_agent_link_refuse(link, XT_REFUSED_BUSY, RETRY_BUSY_MS,
                             "the server cannot store events now; its log says why");
}
