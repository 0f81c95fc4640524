/* Labels from the settings; sessions over a restart, and out of utmp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <utmp.h>

#include "agent/container_info.h"
#include "agent/host_context.h"
#include "agent/session_source.h"
#include "unit/folder.h"

static void test_labels(void **state)
{
    xt_secret_rules *secrets;
    xt_problem problem = XT_PROBLEM_INIT;
    assert_int_equal(xt_secret_rules_builtin(&secrets), 0);
    static const char *const good[] = {"env=prod", "team=db & co", "k8s.io/zone=a=b", "A-1_x=\xc3\xa4"};
    static const char *const bad[] = {
        "", "env", "env=", "=prod", "en v=prod", "env=a\nb", "db_password=hunter22x", "api_token=abcdefgh1234"};
    for (size_t i = 0; i < XT_COUNT_OF(good); i++)
        assert_int_equal(xt_label_check(secrets, xt_slice_str(good[i]), &problem), 0);
    for (size_t i = 0; i < XT_COUNT_OF(bad); i++) {
        problem = XT_PROBLEM_INIT;
        assert_int_equal(xt_label_check(secrets, xt_slice_str(bad[i]), &problem), XT_HOST_CONTEXT_E_LABEL);
        assert_null(strstr(problem.sentence, "hunter22x"));
    }
    assert_int_equal(xt_label_check(NULL, XT_S("db_password=hunter22x"), &problem), 0); /* --secrets off */
    xt_secret_rules_unref(secrets);
}

static void test_last_label_counts(void **state)
{
    const xt_slice labels[] = {XT_S("a=1"), XT_S("b=2"), XT_S("a=3"), XT_S("ab=4")};
    xt_buf out = XT_BUF_INIT, expected = XT_BUF_INIT;
    xt_labels_put(&out, labels, 4);
    xt_list_put(&expected, labels + 1, 3);
    assert_int_equal(out.n, expected.n);
    assert_memory_equal(out.p, expected.p, out.n);
    xt_buf_fini(&out);
    xt_buf_fini(&expected);
}

static const char *address_of(const xt_session_table *table, uint32_t ses, bool *ret_inferred)
{
    const xt_session_entry *entry;
    for (size_t i = 0; (entry = xt_session_table_next(table, &i)) != NULL;)
        if (entry->ses == ses) {
            *ret_inferred = entry->is_inferred;
            return entry->address;
        }
    return "none";
}

static uint32_t session_of(uint32_t pid)
{
    return pid == 404 ? UINT32_MAX : pid + 1000;
}

static void put_utmp(FILE *file, short type, pid_t pid, const char *address)
{
    struct utmp entry = {.ut_type = type, .ut_pid = pid};
    if (inet_pton(AF_INET, address, entry.ut_addr_v6) != 1)
        assert_int_equal(inet_pton(AF_INET6, address, entry.ut_addr_v6), 1);
    assert_int_equal(fwrite(&entry, sizeof entry, 1, file), 1);
}

static void test_sessions_survive(void **state)
{
    char folder[] = "/tmp/exectrail-context-XXXXXX", utmp[64];
    xt_session_table *table, *next;
    bool is_inferred;
    assert_non_null(mkdtemp(folder));
    snprintf(utmp, sizeof utmp, "%s/utmp", folder);
    FILE *file = fopen(utmp, "w");
    put_utmp(file, USER_PROCESS, 50, "192.0.2.50");
    put_utmp(file, DEAD_PROCESS, 51, "192.0.2.51");
    put_utmp(file, USER_PROCESS, 404, "192.0.2.52"); /* it is gone */
    put_utmp(file, USER_PROCESS, 53, "2001:db8::53");
    put_utmp(file, USER_PROCESS, 54, "192.0.2.54");
    fwrite("torn", 4, 1, file);
    fclose(file);
    assert_int_equal(xt_session_table_new(&table), 0);
    xt_session_table_put(table, 1, 1054, XT_S("192.0.2.1"), false);
    xt_session_source_infer(table, 1, utmp, session_of);
    assert_int_equal(xt_session_source_save(table, folder, "boot-1"), 0);
    assert_int_equal(xt_session_table_new(&next), 0);
    xt_session_source_load(next, 1, folder, "boot-1");
    assert_string_equal(address_of(next, 1050, &is_inferred), "192.0.2.50");
    assert_true(is_inferred);
    assert_string_equal(address_of(next, 1054, &is_inferred), "192.0.2.1");
    assert_false(is_inferred);
    assert_string_equal(address_of(next, 1053, &is_inferred), "2001:db8::53");
    assert_string_equal(address_of(next, 1051, &is_inferred), "none");
    xt_session_table_free(next);
    assert_int_equal(xt_session_table_new(&next), 0);
    xt_session_source_load(next, 1, folder, "boot-2");
    assert_string_equal(address_of(next, 1054, &is_inferred), "none");
    xt_session_table_free(next);
    xt_session_table_free(table);
    remove_folder(folder);
}

/* ---- containers ---- */

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void put_file(const char *root, const char *path, const char *text)
{
    char name[512];
    snprintf(name, sizeof name, "%s%s", root, path);
    for (char *slash = name + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(name, 0755);
        *slash = '/';
    }
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void check_container(const char *path, const char *text, const char *image, const char *name, const char *pod,
                            const char *namespace)
{
    char folder[] = "/tmp/exectrail-context-XXXXXX";
    assert_non_null(mkdtemp(folder));
    put_file(folder, path, text);
    xt_container_set set = {.root = folder};
    const xt_container_info *info = xt_container_find(&set, XT_S(ID), 1000);
    assert_non_null(info);
    assert_true(info->is_known);
    assert_string_equal(info->image, image);
    assert_string_equal(info->name, name);
    assert_string_equal(info->pod, pod);
    assert_string_equal(info->namespace, namespace);
    xt_container_set_fini(&set);
    remove_folder(folder);
}

static void test_containers(void **state)
{
    check_container(
        "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/config.json",
        "{\"process\":{\"args\":[\"x\",\"}]\"]},\"annotations\":{\"io.kubernetes.cri.container-name\":\"app\",\"io."
        "kubernetes.cri.image-name\":"
        "\"docker.io/library/"
        "nginx:1.25\",\"io.kubernetes.cri.sandbox-name\":\"web-7\",\"io.kubernetes.cri.sandbox-namespace\":\"shop\"}}",
        "docker.io/library/nginx:1.25", "app", "web-7", "shop");
    check_container("/var/lib/docker/containers/" ID "/config.v2.json",
                    "{\"State\":{\"Name\":\"no\"},\"Config\":{\"Env\":[\"A=\\\"}\"],\"Image\":\"nginx:latest\","
                    "\"Labels\":{}},\"Name\":\"/web\"}",
                    "nginx:latest", "web", "", "");
    check_container("/run/containers/storage/overlay-containers/" ID "/userdata/config.json",
                    "{ \"annotations\" : { \"io.kubernetes.cri-o.ImageName\" : \"quay.io\\/x\", "
                    "\"io.kubernetes.pod.name\" : \"p\\u00e4\" } }",
                    "quay.io/x", "", "p\xc3\xa4", "");
}

static void test_containers_hostile(void **state)
{
    char folder[] = "/tmp/exectrail-context-XXXXXX", text[2048], path[512];
    static const char file[] = "/var/lib/docker/containers/" ID "/config.v2.json";
    assert_non_null(mkdtemp(folder));
    xt_container_set set = {.root = folder};
    assert_null(xt_container_find(&set, XT_S("../../../../etc/passwd"), 0));
    assert_null(xt_container_find(&set, XT_S(""), 0));
    assert_false(xt_container_find(&set, XT_S(ID), 0)->is_known);
    snprintf(text, sizeof text, "{\"Config\":{\"Image\":\"%01000d\"},\"Name\":\"/x\"}", 7); /* too long: left out */
    put_file(folder, file, text);
    assert_false(xt_container_find(&set, XT_S(ID), XT_CONTAINER_RETRY_MS - 1)->is_known);
    const xt_container_info *info = xt_container_find(&set, XT_S(ID), XT_CONTAINER_RETRY_MS);
    assert_true(info->is_known);
    assert_string_equal(info->image, "");
    assert_string_equal(info->name, "x");
    xt_container_set_fini(&set);
    snprintf(path, sizeof path, "%s%s", folder, file);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* nothing is waited for */
    set = (xt_container_set){.root = folder};
    assert_false(xt_container_find(&set, XT_S(ID), 0)->is_known);
    char id[65];
    for (unsigned i = 0; i < 3 * XT_CONTAINER_MAX; i++) {
        snprintf(id, sizeof id, "%064x", i);
        assert_non_null(xt_container_find(&set, xt_slice_str(id), 0));
        assert_in_range(set.map.n, 1, XT_CONTAINER_MAX);
    }
    xt_container_set_fini(&set);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_last_label_counts),
        cmocka_unit_test(test_sessions_survive),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_containers_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
