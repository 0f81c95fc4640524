/*
 * docs/audit-cases.md, 41 to 57 and 61 to 68: what the fields of the other records say.
 */
#include "cases.h"

/* PROCTITLE says what the process wrote into its title, up to 128 bytes: never the command. */
static void case_41_proctitle_is_not_the_command(void **state)
{
    seen s = case_read(
        EXEC("1.000:1", "7") EXECVE(
            "1.000:1",
            "argc=2 a0=\"x\" a1=\"y\"") "type=PROCTITLE msg=audit(1.000:1): proctitle=66616B65\n" COMMAND("1.004:2",
                                                                                                          "8"),
        2);
    xt_event e = seen_get(&s, 0), other = seen_get(&s, 1);
    assert_int_equal(n_args(&e), 2);
    assert_data(&e, "proctitle", "fake");
    assert_data(&other, "proctitle", "(absent)"); /* only says the arguments again */
    seen_fini(&s);
}

static void case_42_comm_is_chosen_by_the_process(void **state)
{
    seen s = case_read(
        "type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=59 success=yes exit=0 items=0 " TASK(
            "7") "comm=65786520222F62696E2F73756D exe=\"/bin/x\" key=(null)\n" EXECVE("1.000:1", "argc=1 a0=\"x\"")
            TITLE("1.000:1"),
        1);
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_COMM, "exe \"/bin/sum");
    assert_text(&e, XT_F_EXE, "/bin/x");
    seen_fini(&s);
}

static void check_keys(const char *written, const char *first, const char *second)
{
    char line[400];
    snprintf(line, sizeof line,
             "type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=2 success=yes exit=0 items=0 pid=7 comm=\"x\" "
             "exe=\"/x\" key=%s\n",
             written);
    seen s = case_read(line, 1);
    xt_event e = seen_get(&s, 0);
    xt_slice keys = xt_event_bytes(&e, XT_F_KEY);
    assert_int_equal(xt_list_count(keys), !!first + !!second);
    if (first)
        assert_slice_eq(list_item(keys, 0), first);
    if (second)
        assert_slice_eq(list_item(keys, 1), second);
    seen_fini(&s);
}

static void case_43_keys(void **state)
{
    check_keys("(null)", NULL, NULL);
    check_keys("\"(null)\"", "(null)", NULL);
    check_keys("\"a\"", "a", NULL);
    check_keys("610162", "a", "b");
    check_keys("6120622263", "a b\"c", NULL);
    check_keys("\"key=x\"", "key=x", NULL);
}

static void case_44_enrichment(void **state)
{
    seen s = case_read("type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=42 success=yes exit=0 items=0 " TASK(
                           "7") "comm=\"x\" exe=\"/x\" key=\"k\"\x1d"
                                "ARCH=x86_64 SYSCALL=connect AUID=\"unset\" "
                                "UID=\"unknown(1001)\" GID=\"root\" EUID=\"pid=9\"\n"
                                "type=SOCKADDR msg=audit(1.000:1): saddr=020000357F000001\x1d"
                                "SADDR={ saddr_fam=inet laddr=127.0.0.1 lport=53 }\n",
                       1);
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_SYSCALL, "connect");
    assert_slice_eq(list_item(xt_event_bytes(&e, XT_F_KEY), 0), "k");
    assert_false(xt_event_has(&e, XT_F_USER) || xt_event_has(&e, XT_F_LOGIN));
    assert_int_equal(xt_event_num(&e, XT_F_AUID, 0), 1001);
    assert_int_equal(xt_event_num(&e, XT_F_PID, 0), 7);
    assert_text(&e, XT_F_GROUP, "root");
    assert_data(&e, "saddr", "020000357F000001");
    assert_data(&e, "SADDR", "saddr_fam=inet laddr=127.0.0.1 lport=53");
    seen_fini(&s);
    s = case_read("type=SOCKADDR msg=audit(1.000:1): saddr=0000\x1dSADDR=unknown family(0)\n", 1);
    e = seen_get(&s, 0);
    assert_data(&e, "SADDR", "unknown");
    seen_fini(&s);
}

static void check_label(const char *written, const char *wanted)
{
    char line[500];
    snprintf(line, sizeof line,
             "type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=2 success=yes exit=0 items=0 " TASK(
                 "7") "comm=\"x\" exe=\"/x\" subj%s key=(null)\n",
             written);
    seen s = case_read(line, 1);
    xt_event e = seen_get(&s, 0);
    assert_data(&e, "subj", wanted);
    assert_data(&e, "text", "(absent)");
    assert_false(has_flag(&e, "truncated"));
    seen_fini(&s);
}

#define ENRICHED_CALL(ids, words)                                                                            \
    "type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=42 success=yes exit=0 items=0 ppid=1 pid=7 " ids \
    " suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts1 ses=5 comm=\"x\" exe=\"/x\" key=\"k\"\x1d" words "\n"

static bool is_contradicted(const char *text)
{
    seen s = case_read(text, 1);
    xt_event e = seen_get(&s, 0);
    bool is_flagged = has_flag(&e, "enriched-mismatch");
    seen_fini(&s);
    return is_flagged;
}

/* What auditd appended says something else: the record counts, and the event says so. */
static void case_44_contradicted(void **state)
{
    seen s =
        case_read(ENRICHED_CALL("auid=4294967295 uid=1001 gid=0 euid=0", "ARCH=i386 SYSCALL=execve AUID=\"alice\" "
                                                                         "UID=\"root\" GID=\"root\" EUID=\"root\""),
                  1);
    xt_event e = seen_get(&s, 0);
    assert_true(has_flag(&e, "enriched-mismatch"));
    assert_text(&e, XT_F_ARCH, "x86_64");
    assert_text(&e, XT_F_SYSCALL, "connect");
    assert_false(xt_event_has(&e, XT_F_USER) || xt_event_has(&e, XT_F_LOGIN));
    assert_int_equal(xt_event_num(&e, XT_F_UID, 0), 1001);
    assert_data(&e, "UID", "root");
    assert_data(&e, "SYSCALL", "execve");
    seen_fini(&s);
#define IDS "auid=1001 uid=1002 gid=0 euid=0"
    assert_false(is_contradicted(ENRICHED_CALL(IDS, "ARCH=x86_64 SYSCALL=connect AUID=\"alice\" UID=\"bob\"")));
    assert_false(is_contradicted(ENRICHED_CALL(IDS, "AUID=\"unknown(1001)\" UID=\"unknown(1002)\"")));
    assert_false(is_contradicted(ENRICHED_CALL(IDS, "SYSCALL=unknown-syscall(42) ARCH=vax EUID=\"toor\"")));
    assert_true(is_contradicted(ENRICHED_CALL(IDS, "UID=\"unknown(7)\"")));
    assert_true(is_contradicted(ENRICHED_CALL(IDS, "AUID=\"unset\"")));
    assert_true(is_contradicted(ENRICHED_CALL(IDS, "SYSCALL=execve")));
    assert_true(is_contradicted(ENRICHED_CALL(IDS, "ARCH=aarch64")));
#undef IDS
    const char *same = "type=SOCKADDR msg=audit(1.000:1): saddr=02000035C00002010000000000000000\x1d"
                       "SADDR={ saddr_fam=inet laddr=192.0.2.1 lport=53 }\n";
    const char *other = "type=SOCKADDR msg=audit(1.000:1): saddr=02000035C00002010000000000000000\x1d"
                        "SADDR={ saddr_fam=inet laddr=192.0.2.2 lport=53 }\n";
    assert_false(is_contradicted(same));
    assert_true(is_contradicted(other));
}

static void case_45_labels(void **state)
{
    check_label("==unconfined", "=unconfined");
    check_label("=docker-default (enforce)", "docker-default (enforce)");
    check_label("=system_u:system_r:init_t:s0-s0:c0.c1023", "system_u:system_r:init_t:s0-s0:c0.c1023");
    check_label("=_", "_");
    check_label("=?", "?");
}

static void case_46_user_messages(void **state)
{
    seen s = case_read("type=USER_LOGIN msg=audit(1.000:1): pid=9 uid=0 auid=4294967295 ses=4294967295 "
                       "msg='op=login acct=\"system-property('xsl:vendor')/>\" exe=\"/usr/sbin/sshd\" hostname=? "
                       "addr=10.0.0.9 terminal=sshd res=failed'\n"
                       "type=CRED_ACQ msg=audit(1.004:2): user pid=8 uid=0 auid=0 msg='PAM: setcred acct=root : "
                       "exe=\"/usr/sbin/crond\" (hostname=?, addr=?, terminal=cron res=success)'\n"
                       "type=USER_CMD msg=audit(1.008:3): pid=6 uid=0 auid=0 ses=1 msg='cwd=\"/\" cmd=6C732061 termi\n",
                       3);
    xt_event a = seen_get(&s, 0), b = seen_get(&s, 1), cut = seen_get(&s, 2);
    assert_data(&a, "acct", "system-property('xsl:vendor')/>");
    assert_text(&a, XT_F_FROM, "10.0.0.9");
    assert_text(&a, XT_F_OUTCOME, "failure");
    assert_data(&b, "terminal", "cron");
    assert_text(&b, XT_F_OUTCOME, "success");
    assert_data(&cut, "cmd", "ls a");
    assert_true(has_flag(&cut, "truncated"));
    assert_false(has_flag(&a, "truncated") || has_flag(&b, "truncated"));
    seen_fini(&s);
}

static void case_47_accounts_and_commands(void **state)
{
    seen s = case_read("type=USER_AUTH msg=audit(1.000:1): pid=9 uid=0 msg='op=x acct=\"DEAD\" res=failed'\n"
                       "type=USER_AUTH msg=audit(1.000:2): pid=9 uid=0 msg='op=x acct=64656164 res=failed'\n"
                       "type=USER_AUTH msg=audit(1.000:3): pid=9 uid=0 msg='op=x acct=dead res=failed'\n"
                       "type=USER_AUTH msg=audit(1.000:4): pid=9 uid=0 msg='op=x acct=alice res=failed'\n",
                       4);
    static const char *const wanted[] = {"DEAD", "dead", "dead", "alice"};
    for (size_t i = 0; i < 4; i++) {
        xt_event e = seen_get(&s, i);
        assert_data(&e, "acct", wanted[i]);
    }
    seen_fini(&s);
}

static void case_48_bases_of_numbers(void **state)
{
    seen s =
        case_read("type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=83 success=no exit=-17 a0=10 a1=1ff items=1 "
                  "ppid=1 pid=7 auid=-1 uid=0 ses=4294967295 comm=\"x\" exe=\"/x\" key=(null)\n"
                  "type=PATH msg=audit(1.000:1): item=0 name=\"/a\" inode=10 dev=fd:10 mode=040755 ouid=0 ogid=0 "
                  "rdev=00:00 nametype=NORMAL\n" TITLE("1.000:1"),
                  1);
    xt_event e = seen_get(&s, 0);
    xt_path path;
    xt_path_iter iter = xt_paths_iterate(xt_event_bytes(&e, XT_F_PATHS));
    assert_true(xt_paths_next(&iter, &path));
    assert_true(path.inode == 10 && path.mode == 040755 && path.dev_major == 0xfd && path.dev_minor == 0x10);
    assert_int_equal((int64_t)xt_event_num(&e, XT_F_EXIT, 0), -17);
    assert_data(&e, "a0", "10");
    assert_data(&e, "a1", "1ff");
    assert_false(xt_event_has(&e, XT_F_AUID) || xt_event_has(&e, XT_F_SES));
    seen_fini(&s);
}

/* The same name in another record is kept as that record's: none is read as what it is elsewhere. */
static void case_49_names_mean_other_things_elsewhere(void **state)
{
    seen s =
        case_read("type=NETFILTER_PKT msg=audit(1.000:1): mark=0x1 saddr=10.0.0.1 daddr=10.0.0.2 proto=6\n"
                  "type=CRYPTO_KEY_USER msg=audit(1.000:2): pid=3 uid=0 msg='op=destroy fp=SHA256:ab:cd rport=22'\n"
                  "type=KERN_MODULE msg=audit(1.000:3): name=\"nf_tables\"\n"
                  "type=MMAP msg=audit(1.000:4): fd=3 flags=0x2\n"
                  "type=MQ_OPEN msg=audit(1.000:5): oflag=0x42 mode=0600 mq_flags=0x0\n"
                  "type=IPC msg=audit(1.000:6): ouid=0 ogid=0 mode=0600\n",
                  6);
    static const char *const wanted[][2] = {{"saddr", "10.0.0.1"}, {"fp", "SHA256:ab:cd"}, {"name", "nf_tables"},
                                            {"flags", "0x2"},      {"mode", "0600"},       {"mode", "0600"}};
    for (size_t i = 0; i < 6; i++) {
        xt_event e = seen_get(&s, i);
        const char *const *want = wanted[xt_event_num(&e, XT_F_SERIAL, 1) - 1];
        assert_data(&e, want[0], want[1]);
    }
    seen_fini(&s);
}

static void case_51_access_vectors(void **state)
{
    seen s =
        case_read("type=AVC msg=audit(1.000:1): avc:  denied  { read write } for  pid=3 comm=\"a\" name=\"b\" "
                  "dev=\"dm-0\" ino=5 scontext=u:r:t tcontext=u:r:u tclass=file permissive=0\n"
                  "type=AVC msg=audit(1.000:2): apparmor=\"STATUS\" operation=\"profile_load\" "
                  "info=\"same as current profile, skipping\" profile=\"unconfined\" name=\"x\" pid=4 comm=\"p\"\n",
                  2);
    xt_event a = seen_get(&s, 0), b = seen_get(&s, 1);
    assert_data(&a, "text", "avc:  denied  { read write } for");
    assert_data(&a, "dev", "dm-0");
    assert_data(&b, "info", "same as current profile, skipping");
    assert_int_equal(xt_event_num(&b, XT_F_PID, 0), 4);
    seen_fini(&s);
}

static void case_52_free_text(void **state)
{
    seen s =
        case_read("type=MAC_POLICY_LOAD msg=audit(1.000:1): policy loaded auid=0 ses=1\n"
                  "type=DAEMON_START msg=audit(1.000:2): auditd start, ver=2.8.5 format=raw kernel=3.10 auid=0 pid=5 "
                  "res=success\n"
                  "type=INTEGRITY_DATA msg=audit(1.000:3): pid=3 uid=0 op=appraise_data cause=missing-hash comm=\"x\" "
                  "name=\"/bin/x\" dev=\"dm-0\" ino=5 res=0\n"
                  "type=USER_AVC msg=audit(1.000:4): pid=1 uid=0 auid=4294967295 ses=4294967295 msg='avc:  denied  "
                  "{ status } for auid=0 uid=0 path=\"/x\" scontext=a tcontext=b tclass=service'\n",
                  4);
    static const char *const wanted[][2] = {
        {"text", "policy loaded"}, {"ver", "2.8.5"}, {"cause", "missing-hash"}, {"tclass", "service"}};
    for (size_t i = 0; i < 4; i++) {
        xt_event e = seen_get(&s, i);
        const char *const *want = wanted[xt_event_num(&e, XT_F_SERIAL, 1) - 1];
        assert_data(&e, want[0], want[1]);
    }
    seen_fini(&s);
}

static void check_syscall(const char *arch, const char *number, const char *wanted)
{
    char line[300];
    snprintf(
        line, sizeof line,
        "type=SYSCALL msg=audit(1.000:1): arch=%s syscall=%s success=yes exit=0 items=0 pid=7 comm=\"x\" exe=\"/x\"\n",
        arch, number);
    seen s = case_read(line, 1);
    xt_event e = seen_get(&s, 0);
    assert_text(&e, XT_F_SYSCALL, wanted);
    seen_fini(&s);
}

static void case_53_a_number_means_nothing_without_its_arch(void **state)
{
    check_syscall("c000003e", "59", "execve");
    check_syscall("40000003", "11", "execve");
    check_syscall("40000003", "59", "oldolduname");
    check_syscall("c000003e", "11", "munmap");
    check_syscall("c00000b7", "221", "execve");
    check_syscall("c000003e", "1073742344", "execve"); /* x32: bit 30, and a number of its own */
    check_syscall("c000003e", "9999", "9999");
}

static void check_kept(const char *line, const char *name, const char *wanted)
{
    seen s = case_read(line, 1);
    xt_event e = seen_get(&s, 0);
    assert_data(&e, name, wanted);
    seen_fini(&s);
}

static void case_54_multiplexers(void **state)
{
    check_syscall("40000003", "102", "socketcall");
    check_kept("type=SOCKETCALL msg=audit(1.000:1): nargs=3 a0=1 a1=2 a2=3\n", "a1", "2");
}

static void case_55_newer_records(void **state)
{
    check_kept("type=OPENAT2 msg=audit(1.000:1): oflag=0100 mode=0600 resolve=0x8\n", "resolve", "0x8");
    check_kept("type=BPF msg=audit(1.000:1): prog-id=7 op=LOAD\n", "prog-id", "7");
    check_kept("type=EVENT_LISTENER msg=audit(1.000:1): pid=1 uid=0 op=connect res=1\n", "op", "connect");
    check_kept("type=DM_CTRL msg=audit(1.000:1): module=crypt op=ctr dev=253:0 error_msg='success' res=1\n",
               "error_msg", "success");
    check_kept("type=UNKNOWN[1339] msg=audit(1.000:1): module=integrity op=x sector=5\n", "sector", "5");
    check_kept("type=FANOTIFY msg=audit(1.000:1): resp=2 fan_type=1 fan_info=3137\n", "fan_info", "3137");
    check_kept("type=UNKNOWN[1423] msg=audit(1.000:1): domain=195ba459b blockers=ptrace\n", "blockers", "ptrace");
}

static void case_56_paths(void **state)
{
    seen s = case_read(
        SYSCALL("1.000:1", "7", "82", "yes",
                "0") "type=PATH msg=audit(1.000:1): item=1 name=\"b\" inode=5 dev=fe:00 mode=0100644 ouid=0 ogid=0 "
                     "rdev=00:00 nametype=CREATE cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0\n"
                     "type=PATH msg=audit(1.000:1): item=0 name=(null) inode=4 dev=fe:00 mode=040755 ouid=0 ogid=0 "
                     "rdev=00:00 objtype=PARENT\n"
                     "type=PATH msg=audit(1.000:1): item=2 name=\"\" nametype=UNKNOWN\n" TITLE("1.000:1"),
        1);
    xt_event e = seen_get(&s, 0);
    xt_path path;
    xt_path_iter iter = xt_paths_iterate(xt_event_bytes(&e, XT_F_PATHS));
    assert_true(xt_paths_next(&iter, &path) && path.item == 1);
    assert_slice_eq(path.nametype, "CREATE");
    assert_true(path.rest.n == 0); /* capabilities of 0 say nothing */
    assert_true(xt_paths_next(&iter, &path) && path.item == 0 && !path.has_name && path.inode == 4);
    assert_slice_eq(path.rest, "objtype=PARENT");
    assert_true(xt_paths_next(&iter, &path) && path.has_name && path.name.n == 0 && !path.has_inode);
    seen_fini(&s);
}

static void check_auid(const char *line, unsigned auid)
{
    seen s = case_read(line, 1);
    xt_event e = seen_get(&s, 0);
    assert_int_equal(xt_event_num(&e, XT_F_AUID, 0), auid);
    seen_fini(&s);
}

static void case_57_a_name_twice_in_a_record(void **state)
{
    check_auid("type=LOGIN msg=audit(1.000:1): login pid=7 uid=0 old auid=1001 new auid=1002\n", 1002);
    check_auid(
        "type=LOGIN msg=audit(1.000:1): pid=7 uid=0 old auid=4294967295 new auid=1002 old ses=4294967295 new ses=5\n",
        1002);
    check_auid("type=LOGIN msg=audit(1.000:1): pid=7 uid=0 old-auid=1001 auid=1002 old-ses=1 ses=5 res=1\n", 1002);
    check_kept("type=KERNEL msg=audit(1.000:1): a=1 a=2\n", "a", "1");
}

static void case_61_login_ids(void **state)
{
    check_auid("type=LOGIN msg=audit(1.000:1): pid=7 uid=0 old-auid=4294967295 auid=1001 tty=(none) old-ses=4294967295 "
               "ses=5 res=1\n",
               1001);
    seen s = case_read("type=SYSCALL msg=audit(1.000:1): arch=c000003e syscall=2 success=yes exit=0 items=0 pid=7 "
                       "auid=4294967295 uid=33 ses=4294967295 comm=\"x\" exe=\"/x\" key=(null)\n",
                       1);
    xt_event e = seen_get(&s, 0);
    assert_false(xt_event_has(&e, XT_F_AUID) || xt_event_has(&e, XT_F_SES));
    assert_int_equal(xt_event_num(&e, XT_F_UID, 0), 33);
    seen_fini(&s);
}

static void case_67_whole_names_only(void **state)
{
    seen s = case_read("type=ANOM_ABEND msg=audit(1.000:1): opid=1 ppid=2 vpid=3 sauid=4 reason=\"pid=5 uid=6\"\n", 1);
    xt_event e = seen_get(&s, 0);
    assert_false(xt_event_has(&e, XT_F_PID) || xt_event_has(&e, XT_F_UID) || xt_event_has(&e, XT_F_AUID));
    assert_int_equal(xt_event_num(&e, XT_F_PPID, 0), 2);
    seen_fini(&s);
}

static void case_68_programs_cannot_speak_for_the_kernel(void **state)
{
    seen s = case_read(
        "type=USER msg=audit(1.000:1): pid=6 uid=1001 auid=1001 ses=5 "
        "msg='pid=1 uid=0 auid=0 ses=1 exe=\"/sbin/init\" comm=\"init\" key=\"exec\" success=yes res=success'\n",
        1);
    xt_event e = seen_get(&s, 0);
    assert_int_equal(xt_event_num(&e, XT_F_PID, 0), 6);
    assert_int_equal(xt_event_num(&e, XT_F_UID, 0), 1001);
    assert_int_equal(xt_event_num(&e, XT_F_AUID, 0), 1001);
    assert_false(xt_event_has(&e, XT_F_EXE) || xt_event_has(&e, XT_F_KEY) || xt_event_has(&e, XT_F_COMM));
    seen_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_41_proctitle_is_not_the_command),
        cmocka_unit_test(case_42_comm_is_chosen_by_the_process),
        cmocka_unit_test(case_43_keys),
        cmocka_unit_test(case_44_enrichment),
        cmocka_unit_test(case_44_contradicted),
        cmocka_unit_test(case_45_labels),
        cmocka_unit_test(case_46_user_messages),
        cmocka_unit_test(case_47_accounts_and_commands),
        cmocka_unit_test(case_48_bases_of_numbers),
        cmocka_unit_test(case_49_names_mean_other_things_elsewhere),
        cmocka_unit_test(case_51_access_vectors),
        cmocka_unit_test(case_52_free_text),
        cmocka_unit_test(case_53_a_number_means_nothing_without_its_arch),
        cmocka_unit_test(case_54_multiplexers),
        cmocka_unit_test(case_55_newer_records),
        cmocka_unit_test(case_56_paths),
        cmocka_unit_test(case_57_a_name_twice_in_a_record),
        cmocka_unit_test(case_61_login_ids),
        cmocka_unit_test(case_67_whole_names_only),
        cmocka_unit_test(case_68_programs_cannot_speak_for_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
