/*
 * server/agent_link - one agent's connection
 *
 * Shape:     frames are cut off the input as they become whole and given to agent_frames; reading pauses while the agent has a
 *            window of batches unacknowledged, or the writer's queue has no room for it, or it does not take what it is sent.
 * Ownership: a link frees itself when its connection has ended and the writer has told of all its batches.
 * Threads:   the loop's; what comes from the writer's thread is handed over by server/agents.
 * Limits:    64 KiB a frame before the hello, XT_FRAME_MAX_BYTES after; XT_AGENT_WINDOW batches; memory for what has come, not for
 *            what was announced, and none while the connection rests.
 */
#pragma once
#include <event2/event.h>
#include <openssl/ssl.h>

#include "server/agents.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/short_form.h"

#define XT_AGENT_WINDOW 32

typedef enum xt_agent_phase {
    XT_AGENT_NEW,     /* no hello yet */
    XT_AGENT_TALKING, /* welcome was sent */
    XT_AGENT_LEAVING, /* the last word is on its way; what comes is thrown away */
    XT_AGENT_DEAD,    /* the connection is gone, the writer still has batches of it */
} xt_agent_phase;

typedef struct xt_agent_link {
    struct xt_agent_link *prev, *next; /* all links but the dead */
    struct xt_agent_link *prev_new, *next_new;
    struct xt_agent_link *prev_paused, *next_paused;
    struct xt_agent_link *next_touched;
    xt_agents *agents;
    int fd;
    struct event *io;
    SSL *ssl;
    bool shaking, broken; /* broken: it is closed as soon as nobody works on it */
    xt_buf in, out;       /* what is no whole frame yet; what the socket has not taken yet */
    int64_t deadline_ms;  /* monotonic: of the hello, later of a message that has begun, of the farewell; 0: none */
    int64_t heard_ms;     /* when something came last */
    int64_t blocked_ms;   /* since when the socket takes nothing; 0: it does */
    xt_agent_phase phase;
    char host_id[33], address[64];
    char boot_id[40], machine_id[64]; /* as its hello said */
    uint64_t features;                /* of the agent */
    xt_short_form form;
    uint8_t ca_sha256[32];      /* of its certificate */
    bool is_old;                /* most of its certificate's time is over */
    int64_t renewed_ms;         /* monotonic; 0: it has not asked yet */
    size_t n_pending;           /* batches with the writer */
    uint64_t policy_generation; /* of the policies, when its order was looked at last */
    uint64_t policy_serial;     /* of the order that it was sent; 0: none */
    bool paused, touched;
    size_t expects; /* bytes of a message that has begun and has to end in time; 0: none has */
    uint64_t ack;   /* to send, 0: none */
    int refusal;    /* the first outcome that is no acknowledgement */
} xt_agent_link;

/* Takes the descriptor. */
XT_MUST_USE int xt_agent_link_open(xt_agents *agents, SSL_CTX *context, int fd, const char *address,
                                   xt_agent_link **ret);
/* Its host is known: it is none of the new ones any more. */
void xt_agent_link_known(xt_agent_link *link);
/* Closes the connection now; frees the link unless batches of it are with the writer. */
void xt_agent_link_close(xt_agent_link *link);
/* Frees what is left of a dead link that nobody waits for. */
void xt_agent_link_reap(xt_agent_link *link);
void xt_agent_link_send(xt_agent_link *link, xt_frame_type type, const xt_buf *payload);
/* Sends REFUSED and leaves. detail: what the words of the reason do not say, may be NULL. */
void xt_agent_link_refuse(xt_agent_link *link, uint64_t reason, uint64_t retry_ms, const char *detail);
/* No more is read; closes when what was sent has been taken. */
void xt_agent_link_leave(xt_agent_link *link);
/* Works on what has come; the link may be gone after this. */
void xt_agent_link_advance(xt_agent_link *link);
/* Closes it when a time is over. */
void xt_agent_link_look(xt_agent_link *link, int64_t now_ms);

/* One whole frame. 0, or -EAGAIN: the frame stays where it is and is tried again later. May make the link leave. */
XT_MUST_USE int xt_agent_frame(xt_agent_link *link, const xt_frame *frame);
/* Tells it the CAs, and to renew its certificate where that is of use, some time within spread_ms. */
void xt_agent_send_trust(xt_agent_link *link, uint64_t spread_ms);
/* Sends it its order, where that is another one than it was sent. */
void xt_agent_send_policy(xt_agent_link *link);
/* Sends it away when its host or its CA is not welcome any more; false then. */
bool xt_agent_is_welcome(xt_agent_link *link);
/* A batch's outcome that is no acknowledgement. */
void xt_agent_refuse_outcome(xt_agent_link *link, int outcome);
