/*
 * Written by hand, read by jansson. Whatever a manifest says is believed only after its checksum holds, and names and modes
 * not even then: a folder of backups may come from anywhere.
 */
#include "server/backup_manifest.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "base/timestamp.h"

#define FORMAT "exectrail-backup-1"

void xt_backup_manifest_init(xt_backup_manifest *manifest)
{
    *manifest = (xt_backup_manifest){.n_events = 0};
    xt_arena_init(&manifest->arena, (size_t)256 << 20);
}

void xt_backup_manifest_fini(xt_backup_manifest *manifest)
{
    xt_arena_fini(&manifest->arena);
    free(manifest->entries);
    free(manifest->missing);
    manifest->entries = NULL;
    manifest->missing = NULL;
}

int xt_backup_manifest_add(xt_backup_manifest *manifest, const xt_backup_entry *entry)
{
    if (manifest->n_entries == manifest->cap_entries) {
        size_t cap = manifest->cap_entries ? manifest->cap_entries * 2 : 64;
        xt_backup_entry *more = reallocarray(manifest->entries, cap, sizeof *more);
        if (!more)
            return xt_error_origin(-ENOMEM);
        manifest->entries = more;
        manifest->cap_entries = cap;
    }
    xt_backup_entry *added = &manifest->entries[manifest->n_entries];
    *added = *entry;
    added->name = xt_arena_copy(&manifest->arena, entry->name);
    if (!added->name.p)
        return xt_error_origin(-ENOMEM);
    manifest->n_entries++;
    return 0;
}

int xt_backup_manifest_add_missing(xt_backup_manifest *manifest, xt_slice name)
{
    if (manifest->n_missing == manifest->cap_missing) {
        size_t cap = manifest->cap_missing ? manifest->cap_missing * 2 : 8;
        xt_slice *more = reallocarray(manifest->missing, cap, sizeof *more);
        if (!more)
            return xt_error_origin(-ENOMEM);
        manifest->missing = more;
        manifest->cap_missing = cap;
    }
    xt_slice copy = xt_arena_copy(&manifest->arena, name);
    if (!copy.p)
        return xt_error_origin(-ENOMEM);
    manifest->missing[manifest->n_missing++] = copy;
    return 0;
}

const xt_backup_entry *xt_backup_manifest_find(const xt_backup_manifest *manifest, xt_slice name)
{
    for (size_t i = 0; i < manifest->n_entries; i++)
        if (xt_slice_eq(manifest->entries[i].name, name))
            return &manifest->entries[i];
    return NULL;
}

uint64_t xt_backup_manifest_bytes(const xt_backup_manifest *manifest)
{
    uint64_t n = 0;

    for (size_t i = 0; i < manifest->n_entries; i++)
        n += manifest->entries[i].n_bytes;
    return n;
}

/* ------------------------------------------------------------------------------------------------ names */

void xt_backup_name_format(int64_t at_ms, char ret[static XT_BACKUP_NAME_BYTES + 1])
{
    char text[25];
    size_t n = 0;

    xt_timestamp_format(at_ms, text);
    for (const char *p = text; *p && n < XT_BACKUP_NAME_BYTES; p++)
        if (*p != '-' && *p != ':')
            ret[n++] = *p;
    ret[n] = '\0';
}

bool xt_backup_name_parse(xt_slice name, int64_t *ret_at_ms)
{
    char text[25], again[XT_BACKUP_NAME_BYTES + 1];

    if (name.n != XT_BACKUP_NAME_BYTES)
        return false;
    snprintf(text, sizeof text, "%.4s-%.2s-%.5s:%.2s:%.7s", name.p, name.p + 4, name.p + 6, name.p + 11, name.p + 13);
    if (xt_timestamp_parse(xt_slice_str(text), 0, false, ret_at_ms, NULL) != 0)
        return false;
    xt_backup_name_format(*ret_at_ms, again);
    return xt_slice_eq(name, xt_slice_str(again));
}

/* ------------------------------------------------------------------------------------------------ out */

static void digest_put(xt_json *json, const char *key, const xt_digest *digest)
{
    char hex[65];

    xt_digest_format(digest, hex);
    xt_json_field_string(json, key, xt_slice_str(hex));
}

static void entry_put(xt_json *json, const xt_backup_entry *entry)
{
    char mode[12];

    snprintf(mode, sizeof mode, "%04o", (unsigned)entry->mode & 0777);
    xt_json_object_begin(json);
    xt_json_field_string(json, "name", entry->name);
    xt_json_field_u64(json, "bytes", entry->n_bytes);
    digest_put(json, "sha256", &entry->digest);
    xt_json_field_string(json, "mode", xt_slice_str(mode));
    if (entry->is_damaged)
        xt_json_field_bool(json, "damaged", true);
    xt_json_object_end(json);
}

static void head_line_put(const xt_backup_manifest *m, xt_buf *out)
{
    xt_json json = xt_json_to(out);
    char at[25];

    xt_timestamp_format(m->at_ms, at);
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "format", XT_S(FORMAT));
    xt_json_field_string(&json, "generation", xt_slice_str(m->generation));
    xt_json_field_string(&json, "at", xt_slice_str(at));
    xt_json_field_string(&json, "version", m->version);
    xt_json_field_string(&json, "data", m->data);
    digest_put(&json, "ca", &m->ca);
    xt_json_field_u64(&json, "events", m->n_events);
    xt_json_field_u64(&json, "pending", m->n_pending);
    xt_json_field_u64(&json, "segments", m->n_segments);
    xt_json_field_u64(&json, "ledger", m->ledger_id);
    if (m->head.n) {
        xt_json_key(&json, XT_S("head"));
        xt_json_raw(&json, m->head);
    }
    xt_json_key(&json, XT_S("files"));
    xt_json_array_begin(&json);
    for (size_t i = 0; i < m->n_entries; i++)
        entry_put(&json, &m->entries[i]);
    xt_json_array_end(&json);
    xt_json_key(&json, XT_S("missing"));
    xt_json_array_begin(&json);
    for (size_t i = 0; i < m->n_missing; i++)
        xt_json_string(&json, m->missing[i]);
    xt_json_array_end(&json);
    xt_json_object_end(&json);
    xt_buf_putc(out, '\n');
}

int xt_backup_manifest_encode(const xt_backup_manifest *manifest, xt_buf *out)
{
    size_t from = out->n;
    xt_digest digest;

    head_line_put(manifest, out);
    int r = xt_buf_done(out);
    if (r == 0)
        r = xt_digest_of(xt_slice_skip(xt_buf_slice(out), from), &digest);
    if (r < 0)
        return xt_error_trace(r);
    xt_json json = xt_json_to(out);
    xt_json_object_begin(&json);
    digest_put(&json, "sha256", &digest);
    xt_json_object_end(&json);
    xt_buf_putc(out, '\n');
    return xt_buf_done(out);
}

/* ------------------------------------------------------------------------------------------------ in */

static xt_slice text_of(const json_t *d, const char *key)
{
    return xt_slice_str(json_string_value(json_object_get(d, key)));
}

/* A count that is absent is 0. false: it is there, and none. */
static bool count_get(const json_t *d, const char *key, uint64_t *ret)
{
    const json_t *value = json_object_get(d, key);

    *ret = (uint64_t)json_integer_value(value);
    return !value || (json_is_integer(value) && json_integer_value(value) >= 0);
}

/* Relative, without "." and ".." and empty parts. */
static bool name_is_safe(xt_slice name)
{
    xt_slice rest = name, part;

    if (name.n == 0 || name.n > 3000 || xt_slice_find_byte(name, '\0') >= 0)
        return false;
    while (xt_slice_cut(&rest, '/', &part))
        if (part.n == 0 || part.n > 255 || xt_slice_eq(part, XT_S(".")) || xt_slice_eq(part, XT_S("..")))
            return false;
    return true;
}

/* 0: it is good; >0: it is not. */
static int entry_get(xt_backup_manifest *m, const json_t *d)
{
    xt_backup_entry entry = {.name = text_of(d, "name"), .is_damaged = json_is_true(json_object_get(d, "damaged"))};
    uint64_t mode;

    if (!name_is_safe(entry.name) || !count_get(d, "bytes", &entry.n_bytes) ||
        !xt_digest_parse(text_of(d, "sha256"), &entry.digest) || !xt_slice_parse_octal(text_of(d, "mode"), &mode))
        return XT_BACKUP_MANIFEST_E_BAD;
    entry.mode = mode & 0777;
    return xt_backup_manifest_add(m, &entry);
}

static int lists_get(xt_backup_manifest *m, const json_t *d)
{
    const json_t *one;
    size_t i;
    int r = 0;

    json_array_foreach(json_object_get(d, "files"), i, one)
    {
        r = entry_get(m, one);
        if (r != 0)
            return r;
    }
    json_array_foreach(json_object_get(d, "missing"), i, one)
    {
        r = xt_backup_manifest_add_missing(m, xt_slice_str(json_string_value(one)));
        if (r != 0)
            return r;
    }
    return r;
}

static int members_get(xt_backup_manifest *m, const json_t *d)
{
    const json_t *signed_head = json_object_get(d, "head");
    xt_slice generation = text_of(d, "generation");
    int64_t at_ms;

    if (!xt_slice_eq(text_of(d, "format"), XT_S(FORMAT)) || !xt_backup_name_parse(generation, &at_ms) ||
        !xt_digest_parse(text_of(d, "ca"), &m->ca) ||
        xt_timestamp_parse(text_of(d, "at"), 0, false, &m->at_ms, NULL) != 0 || !count_get(d, "events", &m->n_events) ||
        !count_get(d, "pending", &m->n_pending) || !count_get(d, "segments", &m->n_segments) ||
        !count_get(d, "ledger", &m->ledger_id))
        return XT_BACKUP_MANIFEST_E_BAD;
    memcpy(m->generation, generation.p, generation.n);
    m->generation[generation.n] = '\0';
    m->version = xt_arena_copy(&m->arena, text_of(d, "version"));
    m->data = xt_arena_copy(&m->arena, text_of(d, "data"));
    char *text = signed_head ? json_dumps(signed_head, JSON_COMPACT) : NULL;
    if (text)
        m->head = xt_arena_copy(&m->arena, xt_slice_str(text));
    free(text);
    return lists_get(m, d);
}

/* Whether the second line is the checksum of the first; *ret is the first with its newline. */
static bool checksum_holds(xt_slice text, xt_slice *ret)
{
    ptrdiff_t end = xt_slice_find_byte(text, '\n');
    xt_digest said, is;

    if (end < 0)
        return false;
    xt_slice first = xt_slice_head(text, (size_t)end + 1), second = xt_slice_skip(text, (size_t)end + 1);
    json_t *d = json_loadb(second.n ? second.p : "", second.n, 0, NULL);
    bool holds =
        xt_digest_parse(text_of(d, "sha256"), &said) && xt_digest_of(first, &is) == 0 && xt_digest_eq(&said, &is);
    json_decref(d);
    *ret = first;
    return holds;
}

int xt_backup_manifest_decode(xt_slice text, xt_backup_manifest *ret, xt_problem *reterr_problem)
{
    xt_slice first;

    if (!checksum_holds(text, &first)) {
        xt_problem_set(reterr_problem, "the manifest is damaged: its checksum does not hold");
        return XT_BACKUP_MANIFEST_E_BAD;
    }
    json_t *d = json_loadb(first.p, first.n, 0, NULL);
    int r = members_get(ret, d);
    json_decref(d);
    if (r > 0) {
        xt_problem_set(reterr_problem, "this is no manifest that this version reads");
        xt_problem_hint(reterr_problem, "use the version that wrote it, or a later one");
    }
    return r;
}
