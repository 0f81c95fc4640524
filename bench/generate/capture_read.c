/*
 * Events come from the project's own decoder, secrets gone, as an agent would send them. Their values are kept once
 * each; the fields that a host, a boot or a process gives are left out and computed when they are played.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#include "capture_private.h"
#include "event/decoder.h"

#define ARENA_BYTES    ((size_t)4 << 30)
#define MAX_TEXT_BYTES 8192 /* an event with a longer value is left out */
#define PIECE_BYTES    (1u << 20)
#define UID_A          1001 /* in the captures: alice and bob */
#define UID_B          1002

static void fini(xt_capture *c)
{
    xt_arena_fini(&c->arena);
    xt_map_fini(&c->texts);
    free(c->text_list);
    free(c->raw);
    free(c->trees);
    free(c->roots);
}

int xt_capture_new(xt_capture **ret)
{
    xt_capture *c = calloc(1, sizeof *c);
    if (!c)
        return xt_error_origin(-ENOMEM);
    xt_arena_init(&c->arena, ARENA_BYTES);
    *ret = c;
    return 0;
}

xt_capture *xt_capture_free(xt_capture *c)
{
    if (c)
        fini(c);
    free(c);
    return NULL;
}

const xt_tree *xt_capture_trees(const xt_capture *c, uint32_t *ret_n)
{
    *ret_n = c->n_trees;
    return c->trees;
}

const xt_root *xt_capture_roots(const xt_capture *c, uint32_t *ret_n)
{
    *ret_n = c->n_roots;
    return c->roots;
}

uint32_t xt_capture_texts(const xt_capture *c)
{
    return c->n_texts;
}

const xt_text *xt_capture_text(const xt_capture *c, uint32_t id)
{
    return c->text_list[id];
}

int xt_capture_grow(void *array, size_t each, size_t n, size_t *cap)
{
    void **at = array;
    if (n < *cap)
        return 0;
    size_t more = *cap ? *cap * 2 : 1024;
    void *grown = reallocarray(*at, more, each);
    if (!grown)
        return xt_error_origin(-ENOMEM);
    *at = grown;
    *cap = more;
    return 0;
}

const xt_text *xt_capture_intern(xt_capture *c, xt_slice bytes, bool is_paths)
{
    xt_text *text = xt_map_find(&c->texts, bytes);
    size_t cap = c->cap_texts;
    if (text)
        return text;
    text = xt_arena_new(&c->arena, xt_text);
    if (!text || xt_capture_grow(&c->text_list, sizeof *c->text_list, c->n_texts, &cap) < 0)
        return NULL;
    c->cap_texts = (uint32_t)cap;
    text->bytes = xt_arena_copy(&c->arena, bytes);
    text->id = c->n_texts;
    text->is_paths = is_paths;
    if (!text->bytes.p || xt_map_put(&c->texts, text->bytes, text, NULL) < 0)
        return NULL;
    c->text_list[c->n_texts++] = text;
    return text;
}

/* ------------------------------------------------------------------------------------------------ patches */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t find_names(xt_slice s, xt_slice name, xt_patch_kind kind, xt_patch *out, size_t n, size_t max)
{
    for (size_t at = 0; at + name.n <= s.n && n < max; at++) {
        ptrdiff_t found = xt_slice_find(xt_slice_skip(s, at), name);
        if (found < 0)
            break;
        at += (size_t)found;
        bool alone = (at == 0 || !is_word(s.p[at - 1])) && (at + name.n == s.n || !is_word(s.p[at + name.n]));
        if (alone)
            out[n++] = (xt_patch){.offset = (uint32_t)at, .kind = (uint8_t)kind, .n = (uint8_t)name.n};
    }
    return n;
}

/* The next number of a PATH record and where it stands. */
static uint64_t number_at(xt_reader *reader, xt_slice all, xt_patch *ret)
{
    const uint8_t *before = reader->p;
    uint64_t v = xt_reader_varint(reader);
    ret->offset = (uint32_t)(before - (const uint8_t *)all.p);
    ret->n = (uint8_t)(reader->p - before);
    return v;
}

/* The numbers of one path: inode, dev (2), mode, ouid, ogid, rdev (2). */
static size_t find_path_numbers(xt_reader *reader, xt_slice all, xt_patch *out, size_t n)
{
    for (unsigned i = 0; i < 8; i++) {
        xt_patch patch = {0};
        uint64_t v = number_at(reader, all, &patch);
        bool is_id = i == 4 || i == 5;
        if (i == 0) {
            patch.kind = XT_PATCH_INODE;
            patch.inode = v;
            out[n++] = patch;
        } else if (is_id && (v == UID_A || v == UID_B)) {
            patch.kind = v == UID_A ? XT_PATCH_UID_A : XT_PATCH_UID_B;
            out[n++] = patch;
        }
    }
    return n;
}

static size_t find_numbers(xt_slice paths, xt_patch *out, size_t n, size_t max)
{
    xt_reader reader = xt_reader_of(paths);
    uint64_t left = xt_reader_varint(&reader);
    for (; left > 0 && !reader.failed && n + 3 <= max; left--) {
        (void)xt_reader_varint(&reader); /* item */
        if (xt_reader_u8(&reader))
            (void)xt_reader_block(&reader);
        (void)xt_reader_block(&reader); /* nametype */
        if (xt_reader_u8(&reader))
            n = find_path_numbers(&reader, paths, out, n);
        (void)xt_reader_block(&reader);
    }
    return n;
}

/* An inode that had several names was used anew by files of the run. */
static int note_names(xt_map *names, xt_arena *arena, xt_slice paths)
{
    xt_path path;
    for (xt_path_iter iter = xt_paths_iterate(paths); xt_paths_next(&iter, &path);) {
        if (!path.has_inode || !path.has_name)
            continue;
        uint64_t *seen = xt_map_find(names, xt_slice_of(&path.inode, sizeof path.inode));
        if (seen) {
            seen[1] = seen[1] == xt_slice_hash(path.name) ? seen[1] : 0;
            continue;
        }
        seen = xt_arena_alloc(arena, 2 * sizeof *seen);
        if (!seen)
            return xt_error_origin(-ENOMEM);
        seen[0] = path.inode;
        seen[1] = xt_slice_hash(path.name);
        if (xt_map_put(names, xt_slice_of(seen, sizeof *seen), seen, NULL) < 0)
            return xt_error_origin(-ENOMEM);
    }
    return 0;
}

static int patch_text(xt_capture *c, const xt_map *names, xt_text *text)
{
    xt_patch found[256];
    size_t n = find_names(text->bytes, XT_S("alice"), XT_PATCH_NAME_A, found, 0, 100);
    n = find_names(text->bytes, XT_S("bob"), XT_PATCH_NAME_B, found, n, 200);
    if (text->is_paths)
        n = find_numbers(text->bytes, found, n, XT_COUNT_OF(found));
    for (size_t i = 0; i < n; i++) {
        const uint64_t *seen = xt_map_find(names, xt_slice_of(&found[i].inode, sizeof found[i].inode));
        if (found[i].kind == XT_PATCH_INODE && seen && seen[1] == 0)
            found[i].kind = XT_PATCH_INODE_FRESH;
    }
    if (n == 0)
        return 0;
    xt_patch *patches = xt_arena_alloc(&c->arena, n * sizeof *patches);
    if (!patches)
        return xt_error_origin(-ENOMEM);
    memcpy(patches, found, n * sizeof *patches);
    text->patches = patches;
    text->n_patches = (uint32_t)n;
    return 0;
}

int xt_capture_patch(xt_capture *c)
{
    xt_map names = XT_MAP_INIT;
    int r = 0;
    for (uint32_t i = c->n_patched; i < c->n_texts && r == 0; i++)
        if (c->text_list[i]->is_paths)
            r = note_names(&names, &c->arena, c->text_list[i]->bytes);
    for (; c->n_patched < c->n_texts && r == 0; c->n_patched++)
        r = patch_text(c, &names, c->text_list[c->n_patched]);
    xt_map_fini(&names);
    return xt_error_trace(r);
}

/* ------------------------------------------------------------------------------------------------ events */

static bool is_computed(xt_field f)
{
    switch (f) {
    case XT_F_TIME:
    case XT_F_SERIAL:
    case XT_F_EVENT_ID:
    case XT_F_HOST:
    case XT_F_HOST_ID:
    case XT_F_BOOT_ID:
    case XT_F_SES:
    case XT_F_PID:
    case XT_F_PPID:
    case XT_F_ENTITY:
    case XT_F_PARENT_ENTITY:
        return true;
    default:
        return false;
    }
}

static xt_person person_of(xt_field f, uint64_t v)
{
    switch (f) {
    case XT_F_UID:
    case XT_F_EUID:
    case XT_F_AUID:
    case XT_F_GID:
    case XT_F_SUID:
    case XT_F_FSUID:
    case XT_F_EGID:
    case XT_F_SGID:
    case XT_F_FSGID:
        return v == UID_A ? XT_PERSON_A : v == UID_B ? XT_PERSON_B : XT_PERSON_NONE;
    default:
        return XT_PERSON_NONE;
    }
}

static bool is_too_long(const xt_event *event)
{
    for (unsigned f = 1; f < XT_F_END; f++)
        if (xt_event_has(event, f) && xt_field_find(f)->type >= XT_TEXT && event->values[f].bytes.n > MAX_TEXT_BYTES)
            return true;
    return false;
}

static int keep_values(xt_capture *c, const xt_event *event, xt_sample *sample)
{
    xt_sample_value values[XT_F_END];
    uint16_t n = 0;
    for (unsigned f = 1; f < XT_F_END; f++) {
        if (!xt_event_has(event, f) || is_computed(f))
            continue;
        xt_sample_value *v = &values[n++];
        *v = (xt_sample_value){.field = (uint16_t)f};
        if (xt_field_find(f)->type >= XT_TEXT) {
            v->text = xt_capture_intern(c, event->values[f].bytes, f == XT_F_PATHS);
            if (!v->text)
                return xt_error_origin(-ENOMEM);
        } else {
            v->num = event->values[f].num;
            v->person = (uint16_t)person_of(f, v->num);
        }
    }
    xt_sample_value *kept = xt_arena_alloc(&c->arena, n * sizeof *kept);
    if (!kept)
        return xt_error_origin(-ENOMEM);
    memcpy(kept, values, n * sizeof *kept);
    sample->values = kept;
    sample->n_values = n;
    return 0;
}

static const xt_text *text_of(const xt_capture *c, const xt_event *event, xt_field f)
{
    return xt_event_has(event, f) ? xt_map_find(&c->texts, xt_event_bytes(event, f)) : NULL;
}

/* Programs of tests: the captures hold far more of them than a real fleet. */
static bool is_odd(const xt_event *event)
{
    xt_slice exe = xt_event_bytes(event, XT_F_EXE), cwd = xt_event_bytes(event, XT_F_CWD);
    return xt_slice_ends(exe, XT_S("/witness")) || xt_slice_starts(cwd, XT_S("/tmp/odd-")) ||
           xt_event_bytes(event, XT_F_ARGS).n > 2048 ||
           xt_slice_starts(xt_event_bytes(event, XT_F_CODE), XT_S("DAEMON_"));
}

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    xt_capture *c = context;
    xt_slice action = xt_event_bytes(event, XT_F_ACTION);
    bool starts = xt_event_is_own_entity(event);
    if (!xt_event_has(event, XT_F_PID) || is_too_long(event))
        return 0;
    int r = xt_capture_grow(&c->raw, sizeof *c->raw, c->n_raw, &c->cap_raw);
    xt_raw_sample *raw = r == 0 ? &c->raw[c->n_raw] : NULL;
    if (!raw)
        return xt_error_trace(r);
    *raw = (xt_raw_sample){
        .time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0),
        .serial = xt_event_num(event, XT_F_SERIAL, 0),
        .ses = xt_event_num(event, XT_F_SES, UINT64_MAX),
        .pid = (uint32_t)xt_event_num(event, XT_F_PID, UINT32_MAX),
        .ppid = (uint32_t)xt_event_num(event, XT_F_PPID, UINT32_MAX),
        .is_exec = xt_slice_eq(action, XT_S("executed")),
        .is_end = xt_slice_eq(action, XT_S("ended-session")) || xt_slice_eq(action, XT_S("disposed-credentials")),
        .process = -1,
    };
    r = keep_values(c, event, &raw->sample);
    if (r < 0)
        return xt_error_trace(r);
    raw->exe = text_of(c, event, XT_F_EXE);
    raw->comm = text_of(c, event, XT_F_COMM);
    raw->tty = text_of(c, event, XT_F_TTY);
    raw->parent_exe = text_of(c, event, XT_F_PARENT_EXE);
    raw->sample.flags =
        (uint16_t)((starts ? XT_SAMPLE_STARTS : 0) |
                   (!starts && xt_event_has(event, XT_F_ENTITY) ? XT_SAMPLE_ENTITY : 0) |
                   (xt_event_has(event, XT_F_PARENT_ENTITY) ? XT_SAMPLE_PARENT : 0) |
                   (xt_event_has(event, XT_F_ARGS) ? XT_SAMPLE_ARGS : 0) | (is_odd(event) ? XT_SAMPLE_ODD : 0));
    c->n_raw++;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ files */

/* Feeds a piece, unpacked where there is a context to do so. */
static int feed(xt_decoder *decoder, ZSTD_DCtx *zstd, xt_slice bytes, char *room)
{
    ZSTD_inBuffer in = {bytes.p, bytes.n, 0};
    if (!zstd)
        return xt_decoder_feed(decoder, bytes);
    while (in.pos < in.size) {
        ZSTD_outBuffer out = {room, PIECE_BYTES, 0};
        if (ZSTD_isError(ZSTD_decompressStream(zstd, &out, &in)))
            return xt_error_origin(-EBADMSG);
        int r = xt_decoder_feed(decoder, xt_slice_of(room, out.pos));
        if (r)
            return xt_error_trace(r);
    }
    return 0;
}

static int feed_file(xt_decoder *decoder, int fd, ZSTD_DCtx *zstd)
{
    char *piece = malloc(2 * PIECE_BYTES);
    ssize_t n = 0;
    int r = piece ? 0 : xt_error_origin(-ENOMEM);
    while (r == 0 && (n = read(fd, piece, PIECE_BYTES)) > 0)
        r = feed(decoder, zstd, xt_slice_of(piece, (size_t)n), piece + PIECE_BYTES);
    if (r == 0 && n < 0)
        r = xt_error_origin(-errno);
    if (r == 0)
        r = xt_decoder_finish(decoder);
    free(piece);
    return r;
}

static int decode(xt_capture *c, const char *path, int fd)
{
    xt_secret_rules *secrets = NULL;
    xt_decoder *decoder = NULL;
    ZSTD_DCtx *zstd = xt_slice_ends(xt_slice_str(path), XT_S(".zst")) ? ZSTD_createDCtx() : NULL;
    int r = xt_secret_rules_builtin(&secrets);
    if (r == 0) {
        xt_decoder_settings settings = {
            .origin = {.host_name = XT_S("h"), .boot_id = XT_S("b")},
            .secrets = secrets,
            .source = path,
            .on_event = on_event,
            .context = c,
        };
        r = xt_decoder_new(&settings, &decoder);
    }
    if (r == 0)
        r = feed_file(decoder, fd, zstd);
    xt_decoder_free(decoder);
    xt_secret_rules_unref(secrets);
    ZSTD_freeDCtx(zstd);
    return r;
}

int xt_capture_read(xt_capture *c, const char *path, xt_problem *reterr_problem)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? xt_error_origin(-errno) : 0;
    c->n_raw = 0;
    if (r == 0)
        r = decode(c, path, fd);
    if (r == 0)
        r = xt_capture_patch(c);
    if (r == 0)
        r = xt_capture_cut(c);
    if (fd >= 0)
        close(fd);
    if (r) {
        xt_problem_source(reterr_problem, path);
        xt_problem_set(reterr_problem, "cannot be read as a capture: %s", strerror(r < 0 ? -r : EBADMSG));
    }
    return xt_error_fold(r);
}
