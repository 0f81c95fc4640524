/* Policies of forty simulated hosts: who has which version in which wave, what makes a roll-out halt by itself, orders and pauses. */
#include "server_fixture.h"

#include <sys/mman.h>

#include "server/app_parts.h"
#include "server/policies_private.h"
#include "server/secret.h"
#include "wire/policy_order.h"

#define N_HOSTS 40
#define TEXT    "rules = modules\nexits = off\n"

typedef struct house {
    fixture *f;
    char ids[N_HOSTS][33];
    uint64_t lost[N_HOSTS], cpu_us[N_HOSTS], serials[N_HOSTS];
} house;

static house begin(void **state)
{
    house h = {.f = *state};
    fixture_open(h.f);
    for (unsigned i = 0; i < N_HOSTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "web-%u", i);
        const xt_enroll m = {.host_name = xt_slice_str(name), .machine_id = xt_slice_str(name)};
        assert_int_equal(xt_hosts_enroll(h.f->app->hosts, &m, "", "", "web", h.ids[i], NULL), 0);
        assert_int_equal(xt_hosts_admit(h.f->app->hosts, &m, "", "", "web", h.ids[i]), 0);
    }
    return h;
}

/* The order that a host is to have now; false: none was ever made. */
static bool order_of(house *h, unsigned i, xt_policy_order *ret, xt_buf *bytes)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bundle = XT_BUF_INIT;
    uint64_t none = 0;
    xt_policy_message m;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_buf_reset(bytes);
    int r = xt_policies_order(h->f->app->policies, xt_slice_str(h->ids[i]), &none, bytes, &problem);
    assert_true(r == 0 || r == 1);
    if (r == 0)
        return false;
    xt_pki_bundle_put(&h->f->app->pki, &bundle);
    assert_int_equal(xt_policy_message_decode(xt_buf_slice(bytes), &m, NULL), 0);
    assert_int_equal(xt_policy_order_check(m.order, m.signature, xt_buf_slice(&bundle), xt_slice_str(h->ids[i]),
                                           h->serials[i], ret, &problem),
                     0);
    assert_int_equal(ret->serial, none);
    h->serials[i] = ret->serial;
    return true;
}

static unsigned n_with(house *h, uint64_t version, bool has[N_HOSTS])
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT;
    xt_policy_order order;
    unsigned n = 0;
    for (unsigned i = 0; i < N_HOSTS; i++) {
        bool is = order_of(h, i, &order, &bytes) && order.version == version;
        if (has)
            has[i] = is;
        n += is;
    }
    return n;
}

/* Five seconds: a heartbeat of each; `harmed` of the hosts with that version lose records. */
static void pass_time(house *h, unsigned n_beats, const bool *harmed)
{
    for (unsigned b = 0; b < n_beats; b++) {
        atomic_fetch_add(&fixture_now, 5000);
        for (unsigned i = 0; i < N_HOSTS; i++) {
            h->lost[i] += harmed && harmed[i] ? 20 : 0;
            h->cpu_us[i] += 15000;
            const xt_heartbeat beat = {.enabled = 1,
                                       .state = XT_BEAT_WATCHING,
                                       .run = 1,
                                       .process = 1,
                                       .audit_mode = XT_S("owner"),
                                       .lost_since_start = h->lost[i],
                                       .cpu_us = h->cpu_us[i]};
            xt_hosts_heartbeat(h->f->app->hosts, xt_slice_str(h->ids[i]), &beat);
        }
        assert_int_equal(xt_policies_turn(h->f->app->policies, NULL), 0);
    }
}

static int take_info(void *context, const xt_policy_info *info)
{
    *(xt_policy_info *)context = *info;
    return 0;
}

static xt_policy_info info_of(house *h)
{
    xt_policy_info info = {.version = 0};
    assert_int_equal(xt_app_policies_list(h->f->app, take_info, &info, NULL), 0);
    return info;
}

static void set(house *h, const char *group, const char *text)
{
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t version;
    if (xt_app_policy_set(h->f->app, xt_slice_str(group), xt_slice_str(text), XT_S("me"), &version, &problem))
        fail_msg("%s", problem.sentence);
}

static void roll_out(house *h, const char *group, const char *waves, int64_t soak_ms)
{
    xt_problem problem = XT_PROBLEM_INIT;
    if (xt_app_policy_roll_out(h->f->app, xt_slice_str(group), 0, xt_slice_str(waves), soak_ms, XT_S("me"), &problem))
        fail_msg("%s", problem.sentence);
}

static void test_waves(void **state)
{
    house h = begin(state);
    bool first[N_HOSTS], second[N_HOSTS];
    pass_time(&h, 24, NULL);
    set(&h, "web", TEXT);
    assert_int_equal(n_with(&h, 1, NULL), 0); /* a draft */
    roll_out(&h, "web", "5,50,100", 60000);
    assert_int_equal(n_with(&h, 1, first), 2);
    pass_time(&h, 13, NULL);
    assert_int_equal(n_with(&h, 1, second), 20);
    for (unsigned i = 0; i < N_HOSTS; i++)
        assert_true(!first[i] || second[i]);
    assert_int_equal(info_of(&h).wave, 2);
    pass_time(&h, 13, NULL);
    assert_int_equal(n_with(&h, 1, NULL), N_HOSTS);
    pass_time(&h, 13, NULL);
    assert_string_equal(info_of(&h).state, "done");
    /* the next version is back at the first wave; who has it not yet keeps the one before */
    set(&h, "web", TEXT "canary = 30\n");
    roll_out(&h, "web", "1,100", 60000);
    assert_int_equal(n_with(&h, 2, NULL), 1);
    assert_int_equal(n_with(&h, 1, NULL), N_HOSTS - 1);
    fixture_close(h.f);
}

static void test_halts_by_itself(void **state)
{
    house h = begin(state);
    bool has[N_HOSTS];
    pass_time(&h, 24, NULL);
    set(&h, "web", TEXT);
    roll_out(&h, "web", "10,100", 60000);
    assert_int_equal(n_with(&h, 1, has), 4);
    pass_time(&h, 8, has);
    xt_policy_info info = info_of(&h);
    assert_string_equal(info.state, "halted");
    assert_non_null(strstr(info.reason, "lose"));
    pass_time(&h, 60, NULL);
    assert_int_equal(n_with(&h, 1, NULL), 4);
    assert_int_equal(xt_app_policy_roll_back(h.f->app, XT_S("web"), XT_S("me"), NULL), 0);
    assert_int_equal(n_with(&h, 1, NULL), 0);
    assert_string_equal(info_of(&h).state, "back");
    /* it is no worse than what all hosts do: nothing halts */
    for (unsigned i = 0; i < N_HOSTS; i++)
        has[i] = true;
    pass_time(&h, 400, has);
    roll_out(&h, "web", "10,100", 60000);
    pass_time(&h, 40, has);
    assert_string_equal(info_of(&h).state, "done");
    fixture_close(h.f);
}

static void test_orders(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf a = XT_BUF_INIT, b = XT_BUF_INIT;
    house h = begin(state);
    xt_policy_order order;
    assert_false(order_of(&h, 0, &order, &a)); /* nobody ever wanted anything of it */
    set(&h, "web", TEXT);
    set(&h, "all", "exits = on\n");
    roll_out(&h, "web", "100", 0);
    roll_out(&h, "all", "100", 0);
    assert_true(order_of(&h, 0, &order, &a));
    assert_true(xt_slice_eq(order.name, XT_S("web")) && xt_slice_eq(order.text, XT_S(TEXT)));
    uint64_t serial = order.serial;
    assert_true(order_of(&h, 0, &order, &b));
    assert_true(xt_slice_eq(xt_buf_slice(&a), xt_buf_slice(&b))); /* the same wish: the same bytes */
    xt_buf_reset(&b);
    assert_int_equal(xt_policies_order(h.f->app->policies, xt_slice_str(h.ids[0]), &serial, &b, NULL), 0);
    uint64_t generation = xt_policies_generation(h.f->app->policies);
    assert_int_equal(xt_hosts_set_group(h.f->app->hosts, xt_slice_str(h.ids[0]), XT_S("db"), NULL), 0);
    assert_true(xt_policies_generation(h.f->app->policies) != generation);
    assert_true(order_of(&h, 0, &order, &a)); /* db has none of its own: that of all */
    assert_true(xt_slice_eq(order.name, XT_S("all")) && order.serial > serial);
    fixture_close(h.f);
}

/* An order stays good when the CA that signed it goes: it is signed anew, and sent again. */
static void test_orders_follow_the_ca(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf a = XT_BUF_INIT, b = XT_BUF_INIT;
    house h = begin(state);
    xt_policies *p = h.f->app->policies;
    xt_policy_order order;
    set(&h, "web", TEXT);
    roll_out(&h, "web", "100", 0);
    assert_true(order_of(&h, 0, &order, &a));
    uint64_t serial = order.serial, generation = xt_policies_generation(p);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(i == 0 ? xt_pki_rotate(&h.f->app->pki, NULL) : xt_pki_retire(&h.f->app->pki, NULL), 0);
        assert_true(xt_policies_generation(p) != generation);
        generation = xt_policies_generation(p);
        xt_buf_reset(&b);
        uint64_t had = serial;
        assert_int_equal(xt_policies_order(p, xt_slice_str(h.ids[0]), &had, &b, NULL), i == 0);
        assert_int_equal(had, serial);
        assert_true(order_of(&h, 0, &order, &a)); /* checked against the CAs that are left */
        assert_int_equal(order.serial, serial);
    }
    fixture_close(h.f);
}

static void test_pauses(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf a = XT_BUF_INIT;
    house h = begin(state);
    xt_policy_order order;
    xt_host_policy policy;
    assert_int_equal(xt_app_pause(h.f->app, XT_S("web-3"), 60000, XT_S("why"), XT_S("me"), NULL), 0);
    assert_false(order_of(&h, 2, &order, &a));
    assert_true(order_of(&h, 3, &order, &a));
    assert_int_equal(order.pause_ms, 60000);
    assert_true(xt_slice_eq(order.who, XT_S("me")) && xt_slice_eq(order.why, XT_S("why")));
    assert_true(xt_app_host_policy(h.f->app, xt_slice_str(h.ids[3]), &policy) && policy.paused_until_ms == T0 + 60000);
    assert_int_equal(xt_app_pause(h.f->app, XT_S("web"), 30000, XT_S_NULL, XT_S("me"), NULL), 0);
    assert_true(order_of(&h, 2, &order, &a));
    assert_int_equal(order.pause_ms, 30000);
    assert_true(order_of(&h, 3, &order, &a)); /* the longer one of the two */
    assert_int_equal(order.pause_ms, 60000);
    assert_int_equal(xt_app_pause(h.f->app, XT_S("web-3"), 0, XT_S_NULL, XT_S("me"), NULL), 0);
    atomic_fetch_add(&fixture_now, 31000);
    assert_true(order_of(&h, 3, &order, &a));
    assert_int_equal(order.pause_ms, 0);
    assert_int_equal(xt_app_pause(h.f->app, XT_S("nosuch"), 1000, XT_S_NULL, XT_S("me"), NULL), XT_APP_E_NOT_FOUND);
    assert_int_equal(xt_app_pause(h.f->app, XT_S("web"), INT64_C(86400001), XT_S_NULL, XT_S("me"), NULL),
                     XT_APP_E_INVALID);
    fixture_close(h.f);
}

/* What a host says is there at once for who asks, and written in one go; the last word of each host counts. */
static void test_stated(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf a = XT_BUF_INIT;
    house h = begin(state);
    xt_policies *p = h.f->app->policies;
    xt_policy_order order;
    xt_host_policy policy;
    set(&h, "web", TEXT);
    roll_out(&h, "web", "100", 0);
    for (unsigned i = 0; i < N_HOSTS; i++) {
        assert_true(order_of(&h, i, &order, &a));
        xt_policy_state said = {.serial = order.serial, .outcome = XT_POLICY_REFUSED, .sentence = XT_S("why")};
        assert_int_equal(xt_policies_stated(p, xt_slice_str(h.ids[i]), &said), 0);
        said = (xt_policy_state){.serial = order.serial, .outcome = XT_POLICY_APPLIED};
        if (i % 2)
            assert_int_equal(xt_policies_stated(p, xt_slice_str(h.ids[i]), &said), 0);
    }
    xt_policy_info info = info_of(&h);
    assert_int_equal(info.n_applied, N_HOSTS / 2);
    assert_int_equal(info.n_refused, N_HOSTS / 2);
    assert_true(xt_app_host_policy(h.f->app, xt_slice_str(h.ids[0]), &policy));
    assert_string_equal(policy.said, "why");
    fixture_close(h.f);
}

static void *turn_elsewhere(void *context)
{
    pass_time(context, 24, NULL);
    return NULL;
}

/* On a stack of which nothing is left behind it. */
static void turn_on_a_stack(house *h)
{
    enum { STACK_BYTES = 8 << 20 };
    pthread_t thread;
    pthread_attr_t attr;
    char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(stack != MAP_FAILED);
    pthread_attr_init(&attr);
    assert_int_equal(pthread_attr_setstack(&attr, stack, STACK_BYTES), 0);
    assert_int_equal(pthread_create(&thread, &attr, turn_elsewhere, h), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attr);
    munmap(stack, STACK_BYTES);
}

/* All hosts that have an order answer it. */
static void answer(house *h, uint64_t outcome)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT;
    xt_policy_order order;
    for (unsigned i = 0; i < N_HOSTS; i++) {
        if (!order_of(h, i, &order, &bytes))
            continue;
        const xt_policy_state said = {.serial = order.serial, .outcome = outcome, .sentence = XT_S("why")};
        assert_int_equal(xt_policies_stated(h->f->app->policies, xt_slice_str(h->ids[i]), &said), 0);
    }
}

/* Hosts refuse within a second, and turns come every few: what was said before the turn counts in it. */
static void test_halts_when_refused(void **state)
{
    house h = begin(state);
    turn_on_a_stack(&h);
    set(&h, "web", TEXT);
    roll_out(&h, "web", "50,100", 600000);
    answer(&h, XT_POLICY_REFUSED);
    pass_time(&h, 1, NULL);
    assert_string_equal(info_of(&h).state, "halted");
    assert_non_null(strstr(info_of(&h).reason, "refuse"));
    /* who refused that one and is away says nothing of the next */
    set(&h, "web", TEXT "canary = 30\n");
    roll_out(&h, "web", "50,100", 600000);
    pass_time(&h, 1, NULL);
    assert_string_equal(info_of(&h).state, "rolling");
    answer(&h, XT_POLICY_APPLIED);
    pass_time(&h, 1, NULL);
    assert_string_equal(info_of(&h).state, "rolling");
    fixture_close(h.f);
}

/* Somebody halts a roll-out while it is judged: what was read before does not overwrite that. */
static void test_nobody_is_overwritten(void **state)
{
    house h = begin(state);
    xt_policies *p = h.f->app->policies;
    xt_rollout was, next;
    set(&h, "web", TEXT);
    roll_out(&h, "web", "5,50,100", 60000);
    assert_int_equal(xt_rollout_load(p, XT_S("web"), &was, NULL), 0);
    next = was;
    next.wave++;
    assert_int_equal(xt_app_policy_halt(h.f->app, XT_S("web"), XT_S("lunch"), XT_S("me"), NULL), 0);
    assert_int_equal(xt_rollout_swap(p, &was, &next, NULL), XT_ROLLOUT_E_CHANGED);
    assert_string_equal(info_of(&h).state, "halted");
    assert_int_equal(info_of(&h).wave, 1);
    /* and not by one that began when there was none yet */
    assert_int_equal(xt_rollout_swap(p, &(xt_rollout){.version = 0}, &next, NULL), XT_ROLLOUT_E_CHANGED);
    assert_int_equal(xt_rollout_load(p, XT_S("web"), &was, NULL), 0);
    next = was;
    xt_text_copy(next.state, sizeof next.state, XT_S("rolling"));
    assert_int_equal(xt_rollout_swap(p, &was, &next, NULL), 0);
    assert_string_equal(info_of(&h).state, "rolling");
    fixture_close(h.f);
}

static void test_refused(void **state)
{
    house h = begin(state);
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t version;
    assert_int_equal(xt_app_policy_set(h.f->app, XT_S("web"), XT_S("rules = x\n"), XT_S("me"), &version, &problem),
                     XT_APP_E_INVALID);
    assert_int_equal(problem.line, 1);
    assert_int_equal(xt_app_policy_roll_out(h.f->app, XT_S("web"), 0, XT_S_NULL, 0, XT_S("me"), NULL),
                     XT_APP_E_NOT_FOUND);
    set(&h, "web", TEXT);
    static const char *const waves[] = {"1,10", "10,1,100", "0,100", "100,101", "x", "50,50,100"};
    for (size_t i = 0; i < XT_COUNT_OF(waves); i++)
        assert_int_equal(xt_app_policy_roll_out(h.f->app, XT_S("web"), 0, xt_slice_str(waves[i]), 0, XT_S("me"), NULL),
                         XT_APP_E_INVALID);
    assert_int_equal(xt_app_policy_roll_out(h.f->app, XT_S("web"), 9, XT_S_NULL, 0, XT_S("me"), NULL),
                     XT_APP_E_NOT_FOUND);
    assert_int_equal(xt_app_policy_resume(h.f->app, XT_S("web"), XT_S("me"), NULL), XT_APP_E_NOT_FOUND);
    roll_out(&h, "web", "1,100", 60000);
    assert_int_equal(xt_app_policy_resume(h.f->app, XT_S("web"), XT_S("me"), NULL), XT_APP_E_INVALID);
    assert_int_equal(xt_app_policy_halt(h.f->app, XT_S("web"), XT_S("lunch"), XT_S("me"), NULL), 0);
    assert_string_equal(info_of(&h).reason, "lunch");
    assert_int_equal(xt_app_policy_resume(h.f->app, XT_S("web"), XT_S("me"), NULL), 0);
    fixture_close(h.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_waves, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_halts_by_itself, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_orders, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_orders_follow_the_ca, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_pauses, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_stated, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_halts_when_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_nobody_is_overwritten, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_refused, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
