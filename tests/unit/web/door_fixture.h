/* The routes behind a door on 127.0.0.1 and a control socket, asked by a raw client. */
#pragma once
#include "loop_fixture.h"
#include "web/door.h"
#include "web_fixture.h"

typedef struct house {
    web web;
    loop loop;
    xt_door *door;
    int port;
    char control[100];
    xt_buf out; /* the last answer */
} house;

static inline void house_open(house *h)
{
    xt_problem problem = XT_PROBLEM_INIT;
    *h = (house){.port = 0};
    web_open(&h->web);
    loop_init(&h->loop);
    snprintf(h->control, sizeof h->control, "%s/control.sock", h->web.data);
    const xt_door_settings settings = {.address = "127.0.0.1:0", .control_path = h->control};
    assert_int_equal(xt_door_open(h->web.app, h->loop.base, &settings, &h->door, &problem), 0);
    h->port = xt_door_port(h->door);
    assert_true(h->port > 0);
    loop_start(&h->loop);
}

static inline void house_close(house *h)
{
    loop_stop(&h->loop);
    h->door = xt_door_close(h->door);
    loop_fini(&h->loop);
    web_close(&h->web);
    xt_buf_fini(&h->out);
}

/* METHOD TARGET with more header lines and a body; the status, the answer in h->out. */
static inline int house_ask(house *h, bool control, const char *method, const char *target, const char *headers,
                            const char *body)
{
    XT_CLEANUP(xt_buf_fini) xt_buf request = XT_BUF_INIT;
    xt_buf_printf(&request, "%s %s HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s",
                  method, target, strlen(body), headers, body);
    xt_buf_putc(&request, '\0');
    return client_ask(control ? client_unix(h->control) : client_tcp(h->port), request.p, &h->out);
}

/* The cookie header of a user of this role. */
static inline void house_login(house *h, const char *name, const char *role, char cookie[static 256])
{
    char target[256], body[256];
    web_answer a = {.status = 0};
    snprintf(target, sizeof target, "/api/v1/users?name=%s&role=%s", name, role);
    assert_int_equal(web_ask(&h->web, "POST", target, NULL, &a), 200);
    snprintf(target, sizeof target, "/api/v1/users/%s/link", name);
    assert_int_equal(web_ask(&h->web, "POST", target, NULL, &a), 200);
    json_t *d = json_loadb(a.body.p, a.body.n, 0, NULL);
    snprintf(body, sizeof body, "{\"secret\":\"%s\"}", json_string_value(json_object_get(d, "secret")));
    json_decref(d);
    web_answer_reset(&a);
    assert_int_equal(house_ask(h, false, "POST", "/api/v1/login", "", body), 200);
    xt_slice rest = xt_buf_slice(&h->out);
    ptrdiff_t at = xt_slice_find(rest, XT_S("Set-Cookie: exectrail="));
    assert_true(at > 0);
    rest = xt_slice_skip(rest, (size_t)at + 12);
    snprintf(cookie, 256, "Cookie: other=1; %.*s\r\n", (int)xt_slice_find_byte(rest, ';'), rest.p);
}
