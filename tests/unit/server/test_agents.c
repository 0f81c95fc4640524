/* The agents' door over loopback: a client of this test's own speaks the frames over TLS. */
#include "agents_fixture.h"

/* ------------------------------------------------------------------------------------------------- tests */

static int one_host(void *context, const xt_host *h)
{
    *(xt_host *)context = *h;
    return 0;
}

static bool host_until_connected(fixture *f, bool connected, xt_host *ret)
{
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(xt_app_hosts_list(f->app, one_host, ret, NULL), 0);
        if (ret->connected == connected)
            return true;
        usleep(1000);
    }
    return false;
}

static void enrolled_host_sends_and_is_acknowledged(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{9}}};
    xt_host known;
    door d;
    host h;
    client c;

    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    assert_int_equal(welcome_of(&c).number, 0);
    assert_true(host_until_connected(f, true, &known));
    assert_string_equal(known.id, h.id);
    assert_string_equal(known.audit_mode, "owner");
    assert_string_equal(known.agent_version, "0.1.0");
    assert_true(strncmp(known.address, "127.0.0.1:", 10) == 0);
    for (int i = 0; i < 3; i++)
        batch_send(&c, &h, &s);
    uint64_t acked = 0;
    while (acked < 3) {
        uint64_t number = ack_of(&c);
        assert_true(number > acked && number <= 3);
        acked = number;
        assert_true(fixture_count(f, "cmd:hello") >= acked); /* acknowledged is searchable */
    }
    client_close(&c);
    assert_true(host_until_connected(f, false, &known));
    assert_int_equal(known.n_events, 3);
    door_close(&d);
    host_fini(&h);
}

static void cut_and_resumed(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{9}}}, before;
    door d;
    host h;
    client c;

    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 1);
    before = s;
    batch_send(&c, &h, &s);
    shutdown(c.fd, SHUT_RDWR); /* the acknowledgement never arrives */
    client_close(&c);
    for (int i = 0; i < 10000 && fixture_count(f, "") < 2; i++)
        usleep(1000);
    door_close(&d);
    fixture_close(f); /* the server, too, goes and comes */
    fixture_open(f);
    door_open(&d, f);
    talk(&c, &d, &h, &s);
    xt_welcome welcome = welcome_of(&c);
    assert_int_equal(welcome.number, 2);
    assert_true(xt_hash128_eq(welcome.hash, s.chain));
    s = before; /* an agent that sends it again all the same */
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 2);
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 3);
    assert_int_equal(fixture_count(f, ""), 3);
    client_close(&c);
    door_close(&d);
    host_fini(&h);
}

static uint64_t refused_enrolment(door *d, const xt_token *token, xt_slice csr, uint64_t version)
{
    client c;
    pinned_open(&c, d, token);
    enroll_send(&c, token, csr, version);
    uint64_t reason = refusal_of(&c);
    client_close(&c);
    return reason;
}

static void tokens_are_refused_by_reason(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf key = XT_BUF_INIT, csr = XT_BUF_INIT;
    xt_token token, wrong;
    door d;
    host h;

    fixture_open(f);
    door_open(&d, f);
    assert_int_equal(xt_tls_key_make(&key), 0);
    assert_int_equal(xt_tls_csr_make(xt_buf_slice(&key), XT_S("x"), &csr), 0);
    token_make(f, 60000, 0, &token);
    wrong = token;
    wrong.secret[3] ^= 0x40;
    assert_int_equal(refused_enrolment(&d, &wrong, xt_buf_slice(&csr), XT_WIRE_VERSION), XT_REFUSED_TOKEN_UNKNOWN);
    assert_int_equal(refused_enrolment(&d, &token, XT_S("junk"), XT_WIRE_VERSION), XT_REFUSED_CORRUPT);
    assert_int_equal(refused_enrolment(&d, &token, xt_buf_slice(&csr), 99), XT_REFUSED_VERSION);
    atomic_fetch_add(&fixture_now, 60001);
    assert_int_equal(refused_enrolment(&d, &token, xt_buf_slice(&csr), XT_WIRE_VERSION), XT_REFUSED_TOKEN_EXPIRED);
    token_make(f, 60000, 1, &token);
    client c;
    pinned_open(&c, &d, &token);
    enroll_send(&c, &token, xt_buf_slice(&csr), XT_WIRE_VERSION);
    assert_int_equal(client_next(&c).type, XT_FRAME_ENROLLED);
    client_close(&c);
    assert_int_equal(refused_enrolment(&d, &token, xt_buf_slice(&csr), XT_WIRE_VERSION), XT_REFUSED_TOKEN_USED);
    enroll(&d, &h); /* and after all this the door still opens */
    host_fini(&h);
    door_close(&d);
}

static uint64_t refused_hello(door *d, const host *h, const char *host_id, uint64_t version)
{
    xt_hash128 stream = {{5}};
    client c;
    mutual_open(&c, d, h);
    hello_send(&c, host_id, stream, version);
    uint64_t reason = refusal_of(&c);
    client_close(&c);
    return reason;
}

static void hellos_are_refused_by_reason(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    fixture_stream s = {.stream = {{9}}};
    door d;
    host h, neighbour, bare;
    client c;

    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    enroll(&d, &neighbour);
    assert_int_equal(refused_hello(&d, &h, neighbour.id, XT_WIRE_VERSION), XT_REFUSED_IDENTITY);
    assert_int_equal(refused_hello(&d, &h, OTHER, XT_WIRE_VERSION), XT_REFUSED_IDENTITY);
    assert_int_equal(refused_hello(&d, &h, h.id, 99), XT_REFUSED_VERSION);
    bare = (host){.ca = h.ca};
    assert_int_equal(refused_hello(&d, &bare, h.id, XT_WIRE_VERSION), XT_REFUSED_IDENTITY);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    assert_int_equal(xt_app_host_revoke(f->app, xt_slice_str(h.id), true, XT_S("tests"), NULL), 0);
    xt_heartbeat beat = {.time_ms = T0};
    xt_heartbeat_put(&payload, &beat);
    client_send(&c, XT_FRAME_HEARTBEAT, &payload);
    assert_int_equal(refusal_of(&c), XT_REFUSED_REVOKED); /* an open connection ends, too */
    client_close(&c);
    assert_int_equal(refused_hello(&d, &h, h.id, XT_WIRE_VERSION), XT_REFUSED_REVOKED);
    door_close(&d);
    host_fini(&neighbour);
    host_fini(&h);
}

/* ---------------------------------------------------------------------------------------------- identity */

static void says_reset(void)
{
    says.machine = "m";
    says.boot = "b";
    says.features = says.trust = says.clock_ms = 0;
}

/* Waits for an event of that action; how many there are. */
static uint64_t events_of(fixture *f, const char *action)
{
    char kql[64];
    uint64_t n = 0;
    snprintf(kql, sizeof kql, "action:%s", action);
    for (int i = 0; i < 500 && (n = fixture_count(f, kql)) == 0; i++)
        usleep(10000);
    return n;
}

static xt_trust trust_of(client *c)
{
    xt_trust trust;
    xt_frame frame = client_next(c);
    assert_int_equal(frame.type, XT_FRAME_TRUST);
    assert_int_equal(xt_trust_decode(frame.payload, &trust, NULL), 0);
    return trust;
}

static void renew_send(client *c, xt_buf *key)
{
    XT_CLEANUP(xt_buf_fini) xt_buf csr = XT_BUF_INIT, payload = XT_BUF_INIT;
    xt_buf_reset(key);
    assert_int_equal(xt_tls_key_make(key), 0);
    assert_int_equal(xt_tls_csr_make(xt_buf_slice(key), XT_S(OTHER), &csr), 0); /* its own name counts for nothing */
    xt_renew_put(&payload, &(xt_renew){.csr_der = xt_buf_slice(&csr)});
    client_send(c, XT_FRAME_RENEW, &payload);
}

static void take_renewed(client *c, host *h, xt_buf *key)
{
    xt_renewed renewed;
    xt_frame frame = client_next(c);
    assert_int_equal(frame.type, XT_FRAME_RENEWED);
    assert_int_equal(xt_renewed_decode(frame.payload, &renewed, NULL), 0);
    assert_int_equal(xt_tls_cert_fits(renewed.cert_pem, xt_buf_slice(key), xt_slice_str(h->id)), 0);
    xt_buf_reset(&h->cert);
    xt_buf_put(&h->cert, renewed.cert_pem);
    xt_buf_reset(&h->key);
    xt_buf_put(&h->key, xt_buf_slice(key));
}

static void a_certificate_is_renewed(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf key = XT_BUF_INIT, junk = XT_BUF_INIT;
    fixture_stream s = {.stream = {{9}}};
    door d;
    host h;
    client c;

    says_reset();
    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    says.features = XT_FEATURE_RENEWAL;
    says.trust = xt_slice_hash(xt_buf_slice(&h.ca));
    talk(&c, &d, &h, &s);
    assert_true(welcome_of(&c).features & XT_FEATURE_RENEWAL);
    renew_send(&c, &key);
    take_renewed(&c, &h, &key); /* and no TRUST before it: it has that bundle */
    renew_send(&c, &key);       /* within a second: passed over */
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 1);
    client_close(&c);
    talk(&c, &d, &h, &s); /* the new one opens the door */
    assert_int_equal(welcome_of(&c).number, 1);
    xt_renew_put(&junk, &(xt_renew){.csr_der = XT_S("junk")});
    client_send(&c, XT_FRAME_RENEW, &junk);
    assert_int_equal(refusal_of(&c), XT_REFUSED_CORRUPT);
    client_close(&c);
    door_close(&d);
    host_fini(&h);
    says_reset();
}

/* Rotated with one host connected and one away; retired; each hears of it or is refused in words. */
static void cas_are_rotated(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf key = XT_BUF_INIT, bundle = XT_BUF_INIT;
    fixture_stream s = {.stream = {{9}}}, s2 = {.stream = {{8}}};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_token old_token;
    door d;
    host h, away;
    client c;

    says_reset();
    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    enroll(&d, &away);
    token_make(f, 60000, 0, &old_token);
    says.features = XT_FEATURE_RENEWAL;
    says.trust = xt_slice_hash(xt_buf_slice(&h.ca));
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    assert_int_equal(xt_app_ca_retire(f->app, true, XT_S("tests"), &problem), XT_APP_E_INVALID);
    assert_int_equal(xt_app_ca_rotate(f->app, XT_S("tests"), &problem), 0);
    assert_int_equal(xt_app_ca_rotate(f->app, XT_S("tests"), &problem), XT_APP_E_INVALID);
    xt_trust trust = trust_of(&c);
    assert_int_equal(trust.renew, 1);
    assert_true(xt_tls_bundle_is_signed(trust.ca_pem, trust.signature, xt_buf_slice(&h.ca)));
    xt_buf_put(&bundle, trust.ca_pem);
    assert_true(xt_slice_starts(trust.ca_pem, xt_buf_slice(&h.ca)));
    xt_buf_reset(&h.ca);
    xt_buf_put(&h.ca, xt_buf_slice(&bundle));
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 1); /* the connection goes on */
    renew_send(&c, &key);
    take_renewed(&c, &h, &key);
    client_close(&c);
    says.trust = xt_slice_hash(xt_buf_slice(&h.ca));
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    assert_int_equal(xt_app_ca_retire(f->app, false, XT_S("tests"), &problem), XT_APP_E_INVALID);
    assert_non_null(strstr(problem.sentence, "1 hosts")); /* the one that is away */
    assert_int_equal(xt_app_ca_retire(f->app, true, XT_S("tests"), &problem), 0);
    trust = trust_of(&c);
    assert_int_equal(trust.renew, 0);
    assert_true(trust.ca_pem.n < bundle.n);
    assert_true(xt_tls_bundle_is_signed(trust.ca_pem, trust.signature, xt_buf_slice(&h.ca)));
    xt_buf_reset(&h.ca);
    xt_buf_put(&h.ca, trust.ca_pem);
    client_close(&c);
    talk(&c, &d, &h, &s); /* knows the new one alone */
    assert_int_equal(welcome_of(&c).number, 1);
    client_close(&c);
    xt_buf_reset(&away.ca);
    xt_buf_put(&away.ca, xt_buf_slice(&h.ca)); /* had it heard of the CA, but not renewed */
    talk(&c, &d, &away, &s2);
    assert_int_equal(refusal_of(&c), XT_REFUSED_CA);
    client_close(&c);
    assert_true(events_of(f, "rotated-ca") == 1 && events_of(f, "retired-ca") == 1);
    door_close(&d);
    fixture_close(f); /* the same after a start */
    fixture_open(f);
    door_open(&d, f);
    talk(&c, &d, &h, &s);
    assert_int_equal(welcome_of(&c).number, 1);
    client_close(&c);
    door_close(&d);
    host_fini(&h);
    host_fini(&away);
    says_reset();
}

/* Nothing is sent by the host, and yet its connection ends. */
static void revocation_ends_an_open_connection(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{9}}};
    door d;
    host h;
    client c;

    says_reset();
    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    assert_int_equal(xt_app_host_revoke(f->app, xt_slice_str(h.id), true, XT_S("alice"), NULL), 0);
    assert_int_equal(refusal_of(&c), XT_REFUSED_REVOKED);
    client_close(&c);
    assert_true(fixture_count(f, "action:revoked-host and user:alice") == 1 || events_of(f, "revoked-host") == 1);
    assert_int_equal(xt_app_host_revoke(f->app, XT_S("web-1"), false, XT_S("alice"), NULL), 0);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    client_close(&c);
    door_close(&d);
    host_fini(&h);
}

/* Set apart and let in again: the agent is told to come again, and the batch it kept is taken. */
static void a_quarantine_ends(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{9}}};
    uint64_t retry_ms;
    xt_host known;
    door d;
    host h;
    client c;

    says_reset();
    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 1);
    assert_int_equal(xt_app_host_quarantine(f->app, XT_S("web-1"), XT_S("alice"), NULL), 0);
    assert_int_equal(refusal_in(&c, &retry_ms), XT_REFUSED_QUARANTINED);
    assert_int_equal(retry_ms, 60000);
    client_close(&c);
    door_close(&d);
    fixture_close(f); /* the same after a start */
    fixture_open(f);
    door_open(&d, f);
    talk(&c, &d, &h, &s);
    assert_int_equal(refusal_of(&c), XT_REFUSED_QUARANTINED);
    client_close(&c);
    assert_int_equal(xt_app_hosts_list(f->app, one_host, &known, NULL), 0);
    assert_true(known.quarantined);
    assert_string_equal(known.refused, "host-quarantined");
    assert_int_equal(xt_app_host_release(f->app, XT_S("web-1"), XT_S("alice"), NULL), 0);
    says.machine = "another"; /* a release from quarantine is no leave for other machines */
    talk(&c, &d, &h, &s);
    assert_int_equal(refusal_of(&c), XT_REFUSED_CLONED);
    client_close(&c);
    says_reset();
    talk(&c, &d, &h, &s);
    assert_int_equal(welcome_of(&c).number, 1);
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 2);
    assert_int_equal(xt_app_host_quarantine(f->app, XT_S("nobody"), XT_S("alice"), NULL), XT_APP_E_NOT_FOUND);
    client_close(&c);
    door_close(&d);
    host_fini(&h);
}

static void the_host(fixture *f, xt_host *ret)
{
    assert_int_equal(xt_app_hosts_list(f->app, one_host, ret, NULL), 0);
}

/* The same identity on another machine: refused and told, and the host goes on. */
static void a_clone_is_refused(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{9}}}, copy = {.stream = {{7}}};
    xt_host known;
    door d;
    host h;
    client c, clone;

    says_reset();
    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    says.machine = "another";
    for (int i = 0; i < 3; i++) {
        talk(&clone, &d, &h, &copy);
        assert_int_equal(refusal_of(&clone), XT_REFUSED_CLONED);
        client_close(&clone);
    }
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 1);
    assert_int_equal(events_of(f, "cloned-host"), 1); /* not three */
    the_host(f, &known);
    assert_true(known.cloned && known.connected);
    assert_string_equal(known.clone_machine_id, "another");
    assert_string_equal(known.machine_id, "m");
    door_close(&d); /* it is remembered */
    client_close(&c);
    fixture_close(f);
    fixture_open(f);
    door_open(&d, f);
    the_host(f, &known);
    assert_true(known.cloned);
    talk(&clone, &d, &h, &copy);
    assert_int_equal(refusal_of(&clone), XT_REFUSED_CLONED);
    client_close(&clone);
    /* The machine id had changed rightly: released while the host is not connected, the next machine is it. */
    assert_int_equal(xt_app_host_release(f->app, xt_slice_str(h.id), XT_S("alice"), NULL), 0);
    talk(&clone, &d, &h, &s);
    assert_int_equal(welcome_of(&clone).number, 1);
    the_host(f, &known);
    assert_false(known.cloned);
    assert_string_equal(known.machine_id, "another");
    client_close(&clone);
    says.machine = "m";
    talk(&c, &d, &h, &s);
    assert_int_equal(refusal_of(&c), XT_REFUSED_CLONED);
    client_close(&c);
    door_close(&d);
    host_fini(&h);
    says_reset();
}

/* The same machine id (a copied disk): boots tell. A reboot is no clone; two boots at once are. */
static void a_copied_disk_is_noticed(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{9}}}, copy = {.stream = {{7}}};
    xt_host known;
    door d;
    host h;
    client c, clone;

    says_reset();
    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    client_close(&c);
    says.boot = "second"; /* rebooted */
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    the_host(f, &known);
    assert_false(known.cloned);
    says.boot = "copy";
    talk(&clone, &d, &h, &copy);
    welcome_of(&clone); /* so far it may be a reboot */
    assert_int_equal(client_next(&c).type, 0);
    client_close(&c);
    says.boot = "second"; /* but then the one before is up, too */
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    assert_int_equal(refusal_of(&clone), XT_REFUSED_CLONED);
    client_close(&clone);
    says.boot = "copy";
    talk(&clone, &d, &h, &copy);
    assert_int_equal(refusal_of(&clone), XT_REFUSED_CLONED);
    client_close(&clone);
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 1);
    client_close(&c);
    says.boot = "second"; /* only comes again */
    talk(&c, &d, &h, &s);
    assert_int_equal(welcome_of(&c).number, 1);
    assert_int_equal(events_of(f, "cloned-host"), 1);
    the_host(f, &known);
    assert_true(known.cloned);
    assert_string_equal(known.boot_id, "second");
    assert_string_equal(known.clone_boot_id, "copy");
    client_close(&c);
    door_close(&d);
    host_fini(&h);
    says_reset();
}

/* A host that an agent without machine id and features is stays one: what 0.1.0 said still opens the door. */
static void an_old_agent_is_welcome(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    fixture_stream s = {.stream = {{9}}};
    door d;
    host h;
    client c;

    says_reset();
    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    mutual_open(&c, &d, &h);
    xt_hello m = {.version = 1,
                  .host_id = xt_slice_str(h.id),
                  .host_name = XT_S("web-1"),
                  .boot_id = XT_S("b"),
                  .agent_version = XT_S("0.1.0"),
                  .stream = s.stream};
    xt_hello_put(&payload, &m);
    payload.n -= 4; /* without the four later members, which are a byte each here */
    client_send(&c, XT_FRAME_HELLO, &payload);
    assert_int_equal(welcome_of(&c).window, 32);
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 1); /* no TRUST before it */
    client_close(&c);
    door_close(&d);
    host_fini(&h);
}

static uint64_t enroll_again(door *d, const host *h, const char *machine, const xt_buf *key)
{
    XT_CLEANUP(xt_buf_fini) xt_buf csr = XT_BUF_INIT, payload = XT_BUF_INIT;
    char secret[32];
    xt_token token;
    client c;

    token_make(d->f, 60000, 1, &token);
    memcpy(secret, token.id, 16);
    memcpy(secret + 16, token.secret, 16);
    assert_int_equal(xt_tls_csr_make(xt_buf_slice(key), XT_S("web-1"), &csr), 0);
    xt_enroll m = {.version = 1,
                   .secret = xt_slice_of(secret, 32),
                   .csr_der = xt_buf_slice(&csr),
                   .host_name = XT_S("web-1"),
                   .machine_id = xt_slice_str(machine),
                   .host_id = xt_slice_str(h->id)};
    xt_enroll_put(&payload, &m);
    pinned_open(&c, d, &token);
    client_send(&c, XT_FRAME_ENROLL, &payload);
    xt_frame frame = client_next(&c);
    uint64_t reason = 0;
    xt_refused refused;
    xt_enrolled enrolled;
    if (frame.type == XT_FRAME_ENROLLED) {
        assert_int_equal(xt_enrolled_decode(frame.payload, &enrolled, NULL), 0);
        assert_true(xt_slice_eq(enrolled.host_id, xt_slice_str(h->id)));
    } else {
        assert_int_equal(xt_refused_decode(frame.payload, &refused, NULL), 0);
        reason = refused.reason;
    }
    client_close(&c);
    return reason;
}

static void a_host_that_enrols_again_stays_itself(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf other = XT_BUF_INIT;
    fixture_stream s = {.stream = {{9}}};
    door d;
    host h, stranger = {.id = OTHER};
    client c;

    says_reset();
    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    client_close(&c);
    assert_int_equal(xt_tls_key_make(&other), 0);
    assert_int_equal(enroll_again(&d, &h, "m", &h.key), 0);
    assert_int_equal(enroll_again(&d, &h, "m", &other), XT_REFUSED_UNKNOWN);
    assert_int_equal(enroll_again(&d, &h, "another", &h.key), XT_REFUSED_UNKNOWN);
    assert_int_equal(enroll_again(&d, &stranger, "m", &h.key), XT_REFUSED_UNKNOWN);
    assert_int_equal(xt_app_host_revoke(f->app, xt_slice_str(h.id), true, XT_S("tests"), NULL), 0);
    assert_int_equal(enroll_again(&d, &h, "m", &h.key), XT_REFUSED_REVOKED);
    door_close(&d);
    host_fini(&h);
}

/* A certificate whose time is over is refused in words, by the server's own clock. */
static void an_expired_certificate_is_named(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{9}}};
    xt_host known;
    door d;
    host h;
    client c;

    says_reset();
    f->settings.host_cert_s = 1;
    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    sleep(2);
    talk(&c, &d, &h, &s);
    xt_refused refused;
    xt_frame frame = client_next(&c);
    assert_int_equal(frame.type, XT_FRAME_REFUSED);
    assert_int_equal(xt_refused_decode(frame.payload, &refused, NULL), 0);
    assert_int_equal(refused.reason, XT_REFUSED_EXPIRED);
    assert_true(refused.retry_ms > 0);
    assert_true(xt_slice_find(refused.sentence, XT_S("has expired: it is valid from 20")) >= 0);
    client_close(&c);
    the_host(f, &known);
    assert_string_equal(known.refused, "certificate-expired");
    door_close(&d);
    host_fini(&h);
}

static void clocks_are_compared(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    fixture_stream s = {.stream = {{9}}};
    xt_host known = {.n_events = 0};
    door d;
    host h;
    client c;

    says_reset();
    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    says.clock_ms = T0 + 90000; /* a minute and a half ahead */
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    the_host(f, &known);
    assert_true(known.clock_known);
    assert_int_equal(known.clock_offset_ms, 90000);
    static const int64_t late_ms[] = {-70, -30,
                                      -500}; /* what the way took: the least of them is nearest to the truth */
    for (size_t i = 0; i < XT_COUNT_OF(late_ms); i++) {
        xt_heartbeat beat = {.time_ms = T0, .sent_ms = (uint64_t)(T0 + late_ms[i]), .backlog = i + 1};
        xt_buf_reset(&payload);
        xt_heartbeat_put(&payload, &beat);
        client_send(&c, XT_FRAME_HEARTBEAT, &payload);
        for (int k = 0; k < 5000 && known.backlog != i + 1; k++) {
            usleep(1000);
            the_host(f, &known);
        }
    }
    assert_int_equal(known.clock_offset_ms, -30); /* it was set: the old offset is forgotten at once */
    client_close(&c);
    door_close(&d);
    host_fini(&h);
    says_reset();
}

/* A batch that was packed with that codec, which may be one that nobody has. */
static void batch_pack(const host *h, fixture_stream *s, uint64_t codec, xt_buf *payload)
{
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT, packed = XT_BUF_INIT;
    xt_batch batch = {.stream = s->stream, .number = ++s->number, .n_events = 1, .chain = s->chain};
    fixture_event(&events, h->id, T0 + (int64_t)s->number, (uint32_t)s->number, "/bin/echo", "hello", "/bin/bash");
    assert_int_equal(xt_codec_pack(xt_buf_slice(&events), xt_codec_newest(), &packed, &batch.codec), 0);
    assert_int_equal(batch.codec, xt_codec_newest());
    batch.codec = codec;
    batch.raw_bytes = events.n;
    batch.data = xt_buf_slice(&packed);
    xt_batch_put(&batch, payload);
    s->chain = xt_batch_hash(xt_buf_slice(payload));
}

static void short_forms_and_dictionaries(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{11}}};
    xt_short_form form = {0};
    xt_batch batch;
    door d;
    host h;
    client c;

    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    xt_welcome welcome = welcome_of(&c);
    assert_true(welcome.features & XT_FEATURE_SHORT);
    xt_short_begin(&form, s.stream, &welcome);
    for (unsigned i = 1; i <= 6; i++) { /* the third goes whole */
        XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT, brief = XT_BUF_INIT;
        batch_pack(&h, &s, xt_codec_newest(), &payload);
        assert_int_equal(xt_batch_decode(xt_buf_slice(&payload), &batch, NULL), 0);
        assert_true(xt_short_batch_put(&form, &batch, &brief));
        client_send(&c, i == 3 ? XT_FRAME_BATCH : XT_FRAME_BATCH_SHORT, i == 3 ? &payload : &brief);
        assert_int_equal(ack_of(&c), i);
        xt_short_batch_went(&form, i, xt_buf_slice(&payload));
    }
    XT_CLEANUP(xt_buf_fini) xt_buf unknown = XT_BUF_INIT;
    batch_pack(&h, &s, 99, &unknown);
    client_send(&c, XT_FRAME_BATCH, &unknown);
    assert_int_equal(refusal_of(&c), XT_REFUSED_DICTIONARY);
    client_close(&c);
    talk(&c, &d, &h, &s);
    assert_int_equal(welcome_of(&c).number, 6);
    xt_buf_reset(&unknown); /* a short heartbeat that nothing came before */
    xt_buf_puts(&unknown, "\x01\x02");
    client_send(&c, XT_FRAME_HEARTBEAT_SHORT, &unknown);
    assert_int_equal(refusal_of(&c), XT_REFUSED_CORRUPT);
    client_close(&c);
    door_close(&d);
    host_fini(&h);
}

static void bad_frames_and_gaps(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf lost = XT_BUF_INIT, junk = XT_BUF_INIT;
    fixture_stream s = {.stream = {{9}}};
    static const char endless[16] = {(char)0xff, (char)0xff, (char)0xff, (char)0xff, XT_FRAME_HELLO};
    door d;
    host h;
    client c;

    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    batch_send(&c, &h, &s);
    batch_make(&h, &s, &lost);
    batch_send(&c, &h, &s); /* number 3 after 1 */
    assert_int_equal(refusal_of(&c), XT_REFUSED_GAP);
    client_close(&c);
    talk(&c, &d, &h, &s);
    assert_int_equal(welcome_of(&c).number, 1);
    client_send(&c, XT_FRAME_BATCH, &lost);
    assert_int_equal(ack_of(&c), 2);
    xt_buf_puts(&junk, "junk");
    client_send(&c, XT_FRAME_BATCH, &junk);
    assert_int_equal(refusal_of(&c), XT_REFUSED_CORRUPT);
    client_close(&c);
    mutual_open(&c, &d, &h); /* a length beyond all limits */
    assert_int_equal(SSL_write(c.ssl, endless, sizeof endless), sizeof endless);
    assert_int_equal(refusal_of(&c), XT_REFUSED_CORRUPT);
    client_close(&c);
    mutual_open(&c, &d, &h); /* a batch before the hello */
    client_send(&c, XT_FRAME_BATCH, &lost);
    assert_int_equal(refusal_of(&c), XT_REFUSED_CORRUPT);
    client_close(&c);
    s = (fixture_stream){.stream = {{10}}};
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    memcpy(h.id, OTHER, sizeof h.id); /* another host's events */
    batch_send(&c, &h, &s);
    assert_int_equal(refusal_of(&c), XT_REFUSED_CORRUPT);
    client_close(&c);
    door_close(&d);
    host_fini(&h);
}

static void heartbeat_is_kept(void **state)
{
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    fixture_stream s = {.stream = {{9}}};
    xt_host known = {0};
    door d;
    host h;
    client c;

    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    xt_heartbeat beat = {.enabled = 1,
                         .audit_pid = 77,
                         .lost = 12,
                         .lost_since_start = 5,
                         .spool_batches = 3,
                         .rss_bytes = 4096,
                         .audit_mode = XT_S("multicast"),
                         .blind = XT_S("-a never,task")};
    xt_heartbeat_put(&payload, &beat);
    client_send(&c, XT_FRAME_HEARTBEAT, &payload);
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 1); /* so the heartbeat before it was read */
    client_close(&c);
    door_close(&d);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(xt_app_hosts_list(f->app, one_host, &known, NULL), 0);
    assert_int_equal(known.audit_pid, 77);
    assert_int_equal(known.lost, 5);
    assert_int_equal(known.spool_batches, 3);
    assert_string_equal(known.audit_mode, "multicast");
    assert_string_equal(known.blind, "-a never,task");
    assert_false(known.connected);
    host_fini(&h);
}

typedef struct told {
    xt_completeness of;
    unsigned n_hosts, n_gaps;
    xt_gap last;
} told;

static int on_told_gap(void *context, const xt_gap *gap)
{
    told *t = context;
    t->n_gaps++;
    t->last = *gap;
    return 0;
}

static int on_told_host(void *context, const xt_completeness *of)
{
    told *t = context;
    t->n_hosts++;
    t->of = *of;
    return 0;
}

static told told_of(fixture *f, const char *name, int64_t from_ms, int64_t to_ms)
{
    told t = {.n_hosts = 0};
    const xt_completeness_wish wish = {.host = xt_slice_str(name), .from_ms = from_ms, .to_ms = to_ms};
    const xt_completeness_calls calls = {on_told_gap, on_told_host, &t};
    assert_int_equal(xt_app_completeness(f->app, &wish, &calls, NULL), 0);
    assert_int_equal(t.n_hosts, 1);
    return t;
}

/* Sends it and waits until it was read. */
static void beat_send(client *c, const host *h, fixture_stream *s, const xt_heartbeat *beat)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    xt_heartbeat_put(&payload, beat);
    client_send(c, XT_FRAME_HEARTBEAT, &payload);
    batch_send(c, h, s);
    ack_of(c);
}

static void completeness_of_a_host(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{9}}}, other = {.stream = {{8}}};
    xt_heartbeat beat = {
        .enabled = 1, .audit_mode = XT_S("owner"), .state = XT_BEAT_WATCHING, .process = 1, .run = 1, .settled_ms = 1};
    int64_t begin = atomic_load(&fixture_now);
    door d;
    host h;
    client c;

    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    beat_send(&c, &h, &s, &beat);
    atomic_fetch_add(&fixture_now, 60000);
    beat.unbroken_ms = 60000;
    beat_send(&c, &h, &s, &beat);
    told t = told_of(f, "web-1", begin, begin + 60000);
    assert_true(t.of.complete);
    assert_int_equal(t.n_gaps, 0);
    t = told_of(f, "web-1", begin - 1000, begin + 60000); /* before it was there */
    assert_false(t.of.complete);
    assert_int_equal(t.of.ms[XT_GAP_SILENT], 1000);
    assert_false(told_of(f, "web-1", begin, begin + 60000).of.waiting);
    /* Losses close behind each other are one row; what was told is not told again by another server. */
    for (int i = 0; i < 3; i++) {
        atomic_fetch_add(&fixture_now, 5000);
        beat.lost += 4;
        beat.settled_ms = 0;
        beat_send(&c, &h, &s, &beat);
        if (i == 1)
            assert_int_equal(told_of(f, h.id, begin, begin + 70000).of.n[XT_GAP_KERNEL], 8);
    }
    client_close(&c);
    door_close(&d);
    fixture_close(f);
    fixture_open(f);
    door_open(&d, f);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    beat_send(&c, &h, &s, &beat);
    t = told_of(f, "web-1", begin, begin + 75001);
    assert_int_equal(t.of.n[XT_GAP_KERNEL], 12);
    assert_int_equal(t.n_gaps, 1);
    assert_int_equal(t.last.from_ms, begin + 60000);
    assert_int_equal(t.last.to_ms, begin + 75000);
    assert_true(told_of(f, "web-1", begin, begin + 60000).of.complete); /* the loss came after */
    assert_int_equal(t.of.settled_ms, begin + 60000 - 1);
    /* Nothing is heard for a minute: that is known before it is over. */
    client_close(&c);
    atomic_fetch_add(&fixture_now, 60000);
    t = told_of(f, "web-1", begin + 80000, begin + 500000);
    assert_false(t.of.complete);
    assert_true(t.of.waiting);
    assert_int_equal(t.of.to_ms, begin + 135000);
    assert_int_equal(t.of.ms[XT_GAP_SILENT], 55000);
    /* It comes back with another spool, and another run. */
    talk(&c, &d, &h, &other);
    welcome_of(&c);
    beat.run = 2;
    beat.unbroken_ms = 10000;
    beat_send(&c, &h, &other, &beat);
    t = told_of(f, "web-1", begin + 75001, begin + 135000);
    assert_int_equal(t.of.n_gaps[XT_GAP_STREAM], 1);
    assert_int_equal(t.of.ms[XT_GAP_SILENT], 49999);
    uint64_t n_gaps = 0;
    for (int i = 0; i < 2000 && n_gaps != 2; i++, usleep(10000))
        n_gaps = fixture_count(f, "action:gap");
    assert_int_equal(n_gaps, 2);
    client_close(&c);
    door_close(&d);
    host_fini(&h);
}

static int on_received(void *context, const xt_received *received)
{
    xt_received *ret = context;
    ret[ret->last ? 1 : 0] = *received;
    return 0;
}

static void the_ledger_gives_evidence(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{9}}};
    xt_received received[2] = {{.last = 0}};
    int64_t begin = atomic_load(&fixture_now);
    door d;
    host h;
    client c;

    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    batch_send(&c, &h, &s);
    ack_of(&c);
    atomic_fetch_add(&fixture_now, 60000);
    for (int i = 0; i < 3; i++) {
        batch_send(&c, &h, &s);
        ack_of(&c);
    }
    assert_int_equal(
        xt_store_each_received(xt_app_store(f->app), xt_slice_str(h.id), begin + 1, on_received, received, NULL), 0);
    assert_true(xt_hash128_eq(received[0].stream, s.stream));
    assert_int_equal(received[0].first, 2);
    assert_int_equal(received[0].last, 4);
    assert_int_equal(received[0].n_events, 3);
    assert_int_equal(received[0].n_missing, 0);
    assert_true(received[0].chained);
    assert_int_equal(received[1].last, 0);
    client_close(&c);
    door_close(&d);
    host_fini(&h);
}

/* Whoever holds all the connections that there may be shuts nobody out. */
static void connections_that_say_nothing(void **state)
{
    enum { MOST = 8 };
    fixture *f = *state;
    fixture_stream s = {.stream = {{9}}};
    char byte;
    int fds[MOST];
    door d;
    host h;
    client c;

    fixture_open(f);
    limits.max_new = MOST;
    door_open(&d, f);
    enroll(&d, &h);
    for (int i = 0; i < MOST; i++)
        fds[i] = connect_raw(d.port);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    assert_int_equal(recv(fds[0], &byte, 1, 0), 0); /* the oldest went */
    assert_int_equal(recv(fds[MOST - 1], &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 1);
    for (int i = 0; i < MOST; i++)
        close(fds[i]);
    limits.max_new = 0;
    client_close(&c);
    door_close(&d);
    host_fini(&h);
}

/* A byte now and then holds nothing for long; a whole message begins anew. */
static void a_message_that_does_not_end(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{9}}};
    static const char begun[7] = {40, 0, 0, 0, XT_FRAME_HEARTBEAT};
    door d;
    host h;
    client c;

    fixture_open(f);
    limits.frame_s = 1;
    door_open(&d, f);
    enroll(&d, &h);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    usleep(1200000); /* saying nothing is allowed for longer */
    batch_send(&c, &h, &s);
    assert_int_equal(ack_of(&c), 1);
    for (size_t i = 0; i < sizeof begun; i++) {
        usleep(300000);
        if (SSL_write(c.ssl, begun + i, 1) != 1)
            break;
    }
    assert_int_equal(client_next(&c).type, 0); /* closed, long before the two minutes of silence */
    client_close(&c);
    talk(&c, &d, &h, &s);
    assert_int_equal(welcome_of(&c).number, 1);
    limits.frame_s = 0;
    client_close(&c);
    door_close(&d);
    host_fini(&h);
}

static pthread_mutex_t stuck = PTHREAD_MUTEX_INITIALIZER;

static void on_stuck(void *context, int outcome, uint64_t number)
{
    pthread_mutex_lock(&stuck);
    pthread_mutex_unlock(&stuck);
}

/* The writer is held, and its queue filled by one host: another one's batch is taken all the same, and who is new is told when to come. */
static void a_busy_server_says_when(void **state)
{
    enum { JUNK = 1 << 20 };
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf junk = XT_BUF_INIT;
    fixture_stream s = {.stream = {{9}}}, s2 = {.stream = {{8}}};
    uint64_t retry_ms;
    door d;
    host h, h2;
    client c, c2;

    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    enroll(&d, &h2);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    for (int i = 0; i < JUNK; i++)
        xt_buf_putc(&junk, 'x');
    pthread_mutex_lock(&stuck);
    while (xt_app_ingest(f->app, XT_S(OTHER), xt_buf_slice(&junk), on_stuck, NULL) == 0)
        ;
    batch_send(&c, &h, &s); /* it waits with the writer now */
    usleep(3200000);        /* a burst is no reason */
    assert_int_equal(xt_app_ingest(f->app, XT_S(OTHER), xt_buf_slice(&junk), on_stuck, NULL), -EAGAIN);
    talk(&c2, &d, &h2, &s2);
    assert_int_equal(refusal_in(&c2, &retry_ms), XT_REFUSED_BUSY);
    assert_true(retry_ms >= 2000 && retry_ms <= 60000);
    client_close(&c2);
    pthread_mutex_unlock(&stuck);
    assert_int_equal(ack_of(&c), 1);
    for (int i = 0; i < 1000 && xt_writer_busy_ms(f->app->writer); i++)
        usleep(10000);
    talk(&c2, &d, &h2, &s2);
    assert_int_equal(welcome_of(&c2).number, 0);
    client_close(&c);
    client_close(&c2);
    door_close(&d);
    host_fini(&h);
    host_fini(&h2);
}

/* Far more than a window without reading an answer: the server stops reading, then goes on; nothing is lost. */
static void many_at_once(void **state)
{
    enum { CLIENTS = 4, BATCHES = 150 };
    fixture *f = *state;
    fixture_stream s[CLIENTS];
    host h[CLIENTS];
    client c[CLIENTS];
    door d;

    fixture_open(f);
    door_open(&d, f);
    for (int i = 0; i < CLIENTS; i++) {
        s[i] = (fixture_stream){.stream = {{(uint8_t)(i + 1)}}};
        enroll(&d, &h[i]);
        talk(&c[i], &d, &h[i], &s[i]);
        welcome_of(&c[i]);
    }
    for (int k = 0; k < BATCHES; k++)
        for (int i = 0; i < CLIENTS; i++)
            batch_send(&c[i], &h[i], &s[i]);
    for (int i = 0; i < CLIENTS; i++) {
        while (ack_of(&c[i]) < BATCHES)
            ;
        client_close(&c[i]);
    }
    assert_int_equal(fixture_count(f, ""), CLIENTS * BATCHES);
    door_close(&d);
    for (int i = 0; i < CLIENTS; i++)
        host_fini(&h[i]);
}

/* A frame of several megabytes that no compression makes small. */
static void a_big_batch(void **state)
{
    enum { BYTES = 5 << 20 };
    fixture *f = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;
    fixture_stream s = {.stream = {{9}}};
    char *noise = malloc(BYTES + 1);
    uint64_t x = 88172645463325252u;
    door d;
    host h;
    client c;

    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    for (size_t i = 0; i < BYTES; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        noise[i] = (char)(33 + x % 90);
    }
    noise[BYTES] = '\0';
    fixture_event(&events, h.id, T0, 1, "/bin/echo", noise, "/bin/bash");
    fixture_batch(&s, xt_buf_slice(&events), 1, &payload);
    assert_true(payload.n > BYTES / 2);
    talk(&c, &d, &h, &s);
    welcome_of(&c);
    client_send(&c, XT_FRAME_BATCH, &payload);
    batch_send(&c, &h, &s);
    uint64_t acked = ack_of(&c);
    if (acked == 1)
        acked = ack_of(&c);
    assert_int_equal(acked, 2);
    assert_int_equal(fixture_count(f, ""), 2);
    client_close(&c);
    door_close(&d);
    host_fini(&h);
    free(noise);
}

/* Waits until nothing of what was sent arrives any more; the rest was lost with the connection: go on from there. */
static void stream_settle(fixture *f, fixture_stream *s)
{
    uint64_t number = 0, before = 0;
    xt_hash128 hash = {{0}};

    for (int still = 0; still < 15 && number < s->number; still = number == before ? still + 1 : 0) {
        before = number;
        usleep(20000);
        assert_int_equal(xt_store_stream_get(xt_app_store(f->app), s->stream, &number, &hash), 0);
    }
    s->number = number;
    s->chain = hash;
}

/* The same host twice: the newer connection stays. Connections that go in the middle of things leave nothing behind. */
static void connections_come_and_go(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{9}}};
    door d;
    host h;
    client first, second, c;

    fixture_open(f);
    door_open(&d, f);
    enroll(&d, &h);
    talk(&first, &d, &h, &s);
    welcome_of(&first);
    talk(&second, &d, &h, &s);
    welcome_of(&second);
    assert_int_equal(client_next(&first).type, 0);
    xt_host known;
    assert_true(host_until_connected(f, true, &known)); /* the end of the older connection is not the host's */
    assert_true(known.connected);
    batch_send(&second, &h, &s);
    assert_int_equal(ack_of(&second), 1);
    for (int i = 0; i < 10; i++) {
        talk(&c, &d, &h, &s);
        assert_int_equal(welcome_of(&c).number, s.number);
        for (int k = 0; k < 20; k++)
            batch_send(&c, &h, &s);
        client_close(&c);
        stream_settle(f, &s);
    }
    mutual_open(&c, &d, &h); /* open while the door closes */
    door_close(&d);
    client_close(&c);
    client_close(&first);
    client_close(&second);
    assert_int_equal(fixture_count(f, ""), s.number);
    host_fini(&h);
}

static void an_address_in_use_is_named(void **state)
{
    fixture *f = *state;
    xt_problem problem = XT_PROBLEM_INIT;
    struct event_base *base = event_base_new();
    xt_agents *second = NULL;
    char address[64];
    door d;

    fixture_open(f);
    door_open(&d, f);
    snprintf(address, sizeof address, "127.0.0.1:%d", d.port);
    assert_int_equal(xt_agents_open(f->app, base, address, &second, &problem), -EADDRINUSE);
    assert_non_null(strstr(problem.sentence, address));
    assert_non_null(strstr(problem.hint, "--listen"));
    assert_true(xt_agents_open(f->app, base, "nonsense", &second, &problem) < 0);
    event_base_free(base);
    door_close(&d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(enrolled_host_sends_and_is_acknowledged),
        TEST(cut_and_resumed),
        TEST(tokens_are_refused_by_reason),
        TEST(hellos_are_refused_by_reason),
        TEST(a_certificate_is_renewed),
        TEST(cas_are_rotated),
        TEST(revocation_ends_an_open_connection),
        TEST(a_quarantine_ends),
        TEST(a_clone_is_refused),
        TEST(a_copied_disk_is_noticed),
        TEST(an_old_agent_is_welcome),
        TEST(a_host_that_enrols_again_stays_itself),
        TEST(an_expired_certificate_is_named),
        TEST(clocks_are_compared),
        TEST(short_forms_and_dictionaries),
        TEST(bad_frames_and_gaps),
        TEST(connections_that_say_nothing),
        TEST(a_message_that_does_not_end),
        TEST(a_busy_server_says_when),
        TEST(heartbeat_is_kept),
        TEST(completeness_of_a_host),
        TEST(the_ledger_gives_evidence),
        TEST(many_at_once),
        TEST(a_big_batch),
        TEST(connections_come_and_go),
        TEST(an_address_in_use_is_named),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
