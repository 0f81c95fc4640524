#include "input/networks.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "cmocka_head.h"

static bool has(const char *networks, const char *address)
{
    xt_networks list;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    assert_int_equal(xt_networks_parse(xt_slice_str(networks), &list, NULL), 0);
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        return xt_networks_has(&list, (struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    return xt_networks_has(&list, (struct sockaddr *)&v6);
}

static void test_membership(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.0.1"));
    assert_false(has("10.0.0.0/8", "11.0.0.1"));
    assert_true(has("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(has("192.168.7.9", "192.168.7.9"));
    assert_false(has("192.168.7.9", "192.168.7.8"));
    assert_true(has("192.168.7.8/31", "192.168.7.9"));
    assert_false(has("192.168.7.8/31", "192.168.7.10"));
    assert_true(has(" 1.2.3.4 , 2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("::/0", "1.2.3.4"));
    assert_true(has("0.0.0.0/0", "1.2.3.4"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("::1", "::1"));
}

static void test_what_is_none_is_named(void **state)
{
    static const char *const bad[] = {"",        "10.0.0.0/33", "10.0.0.0/", "/8",        "host",
                                      "::1/129", "1.2.3.4,",    "1.2.3/8",   "1.2.3.4/-1"};
    xt_networks list;
    (void)state;
    for (size_t i = 0; i < XT_COUNT_OF(bad); i++) {
        xt_problem problem = XT_PROBLEM_INIT;
        assert_int_equal(xt_networks_parse(xt_slice_str(bad[i]), &list, &problem), XT_NETWORKS_E_INVALID);
        assert_true(xt_problem_is_set(&problem));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_membership), cmocka_unit_test(test_what_is_none_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
