#include "agent/session_source.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <utmp.h>

#include "agent/state_file.h"
#include "io/vfs.h"

#define NAME           "sessions"
#define MAX_UTMP_BYTES ((size_t)4 << 20)

void xt_session_source_load(xt_session_table *table, uint64_t host, const char *state, const char *boot_id)
{
    xt_state_file file;
    xt_slice rest, line, kind, number;
    uint64_t ses;
    if (xt_state_file_read(state, NAME, &file) < 0)
        return;
    rest = xt_buf_slice(&file.text);
    bool is_ours = xt_slice_eq(xt_state_file_text(&file, "boot"), xt_slice_str(boot_id));
    while (is_ours && rest.n > 0 && xt_slice_cut(&rest, '\n', &line)) {
        if (!xt_slice_cut(&line, '=', &kind) || !xt_slice_cut(&line, ' ', &number) ||
            !xt_slice_parse_u64(number, &ses) || ses >= UINT32_MAX)
            continue;
        if (xt_slice_eq(kind, XT_S("ses")) || xt_slice_eq(kind, XT_S("inferred")))
            xt_session_table_put(table, host, (uint32_t)ses, line, kind.n != 3);
    }
    xt_state_file_fini(&file);
}

int xt_session_source_save(const xt_session_table *table, const char *state, const char *boot_id)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    const xt_session_entry *entry;
    size_t i = 0;
    xt_buf_printf(&out, "boot=%s\n", boot_id);
    while ((entry = xt_session_table_next(table, &i)) != NULL && out.n < 60000) /* what is read back at most */
        xt_buf_printf(&out, "%s=%u %s\n", entry->is_inferred ? "inferred" : "ses", entry->ses, entry->address);
    int r = xt_buf_done(&out);
    return r == 0 ? xt_state_file_write(state, NAME, xt_buf_slice(&out)) : xt_error_trace(r);
}

uint32_t xt_session_source_of_process(uint32_t pid)
{
    char path[64];
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    uint64_t ses;
    snprintf(path, sizeof path, "/proc/%u/sessionid", pid);
    if (xt_vfs_read_file(&xt_vfs_system, path, 64, &text) < 0 ||
        !xt_slice_parse_u64(xt_slice_trim(xt_buf_slice(&text)), &ses))
        return UINT32_MAX;
    return ses < UINT32_MAX ? (uint32_t)ses : UINT32_MAX;
}

/* One entry, of which any bytes may be anything. */
static void infer_one(xt_session_table *table, uint64_t host, const struct utmp *entry,
                      uint32_t (*session_of)(uint32_t pid))
{
    char address[INET6_ADDRSTRLEN];
    const int32_t *a = entry->ut_addr_v6;
    bool is_v6 = a[1] || a[2] || a[3];
    if (entry->ut_type != USER_PROCESS || entry->ut_pid <= 1 || (!is_v6 && !a[0]) ||
        !inet_ntop(is_v6 ? AF_INET6 : AF_INET, a, address, sizeof address))
        return;
    uint32_t ses = session_of((uint32_t)entry->ut_pid);
    if (ses != UINT32_MAX)
        xt_session_table_put(table, host, ses, xt_slice_str(address), true);
}

void xt_session_source_infer(xt_session_table *table, uint64_t host, const char *utmp,
                             uint32_t (*session_of)(uint32_t pid))
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT;
    if (xt_vfs_read_file(&xt_vfs_system, utmp, MAX_UTMP_BYTES, &bytes) < 0)
        return;
    for (size_t at = 0; at + sizeof(struct utmp) <= bytes.n; at += sizeof(struct utmp)) {
        struct utmp entry;
        memcpy(&entry, bytes.p + at, sizeof entry);
        infer_one(table, host, &entry, session_of);
    }
}
