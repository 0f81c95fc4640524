/* Manifests of backups whose checksum holds: no name that is taken leads out of the folder, and what is taken is written again as it was. */
#include <assert.h>

#include "server/backup_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_names(const xt_backup_manifest *m)
{
    for (size_t i = 0; i < m->n_entries; i++) {
        const char *name = m->entries[i].name.p;
        size_t end = strlen(name);
        assert(end == m->entries[i].name.n && end > 0 && name[0] != '/' && name[end - 1] != '/');
        assert(strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0 && !strstr(name, "/../") && !strstr(name, "//"));
        assert(end < 3 || strcmp(name + end - 3, "/..") != 0);
        assert(m->entries[i].mode <= 0777);
    }
}

static void check_again(const xt_backup_manifest *m)
{
    xt_buf once = XT_BUF_INIT, twice = XT_BUF_INIT;
    xt_backup_manifest again;

    xt_backup_manifest_init(&again);
    assert(xt_backup_manifest_encode(m, &once) == 0);
    assert(xt_backup_manifest_decode(xt_buf_slice(&once), &again, NULL) == 0);
    assert(xt_backup_manifest_encode(&again, &twice) == 0);
    assert(xt_slice_eq(xt_buf_slice(&once), xt_buf_slice(&twice)));
    xt_backup_manifest_fini(&again);
    xt_buf_fini(&once);
    xt_buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_slice text = xt_slice_of(data, n);
    ptrdiff_t end = xt_slice_find_byte(text, '\n');
    XT_CLEANUP(xt_buf_fini) xt_buf whole = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_manifest m;
    xt_digest digest;
    char hex[65];

    xt_buf_put(&whole, end < 0 ? text : xt_slice_head(text, (size_t)end));
    xt_buf_putc(&whole, '\n');
    if (xt_digest_of(xt_buf_slice(&whole), &digest) < 0)
        return 0;
    xt_digest_format(&digest, hex);
    xt_buf_printf(&whole, "{\"sha256\":\"%s\"}\n", hex);
    xt_backup_manifest_init(&m);
    if (xt_backup_manifest_decode(xt_buf_slice(&whole), &m, &problem) == 0) {
        check_names(&m);
        check_again(&m);
    } else {
        assert(xt_problem_is_set(&problem));
    }
    xt_backup_manifest_fini(&m);
    return 0;
}
