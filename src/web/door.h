/*
 * web/door - the routes over HTTP: the page's address and DIR/control.sock
 *
 * Shape:     one http_server with up to two listeners. Who comes over the address is known by cookie or token; who can open
 *            the socket file (0600) is ADMIN.
 * Errors:    <0 errno; XT_DOOR_E_LISTEN with a problem: the address or path cannot be listened on.
 * Threads:   open and close on the loop's thread; the app must outlive the door.
 * Limits:    those of io/http/http_server.h.
 */
#pragma once
#include <event2/event.h>
#include <openssl/ssl.h>

#include "server/app.h"

enum {
    XT_DOOR_E_LISTEN = 1,
};

typedef struct xt_door_settings {
    const char *address;      /* HOST:PORT, port 0 takes a free one; NULL: none */
    const char *bulk_address; /* HOST:PORT where / is /es of the address; NULL: none */
    SSL_CTX *tls;             /* for the address; borrowed until close; NULL: plain */
    SSL_CTX *bulk_tls;        /* the same for the bulk door */
    const char *control_path; /* DIR/control.sock; NULL: none */
} xt_door_settings;

typedef struct xt_door xt_door;
XT_MUST_USE int xt_door_open(xt_app *app, struct event_base *base, const xt_door_settings *settings, xt_door **ret,
                             xt_problem *reterr_problem);
int xt_door_port(const xt_door *door); /* of the address, 0 without one */
int xt_door_bulk_port(const xt_door *door);
xt_door *xt_door_close(xt_door *door); /* ends running requests; accepts NULL, returns NULL */
