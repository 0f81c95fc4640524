#include "input/bulk_body.h"

#include <errno.h>
#include <jansson.h>
#include <zlib.h>

static const char *const actions[] = {"create", "index", "update", "delete"};

static int malformed(const xt_bulk_reader *reader, const char *sentence, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "Malformed action/metadata line [%llu], %s", (unsigned long long)reader->line_number,
                   sentence);
    xt_problem_at(reterr_problem, reader->line_number, 1);
    return XT_BULK_E_MALFORMED;
}

/* False: no memory. */
static bool copy_text(const json_t *of, const char *name, xt_arena *arena, xt_slice *ret)
{
    const json_t *value = json_object_get(of, name);
    *ret = XT_S_NULL;
    if (!json_is_string(value))
        return true;
    *ret = xt_arena_copy(arena, xt_slice_of(json_string_value(value), json_string_length(value)));
    return ret->p != NULL;
}

static int read_action(const xt_bulk_reader *reader, json_t *line, xt_arena *arena, xt_bulk_item *ret,
                       xt_problem *reterr_problem)
{
    const json_t *meta = NULL;
    for (size_t i = 0; i < XT_COUNT_OF(actions) && !meta; i++) {
        meta = json_object_get(line, actions[i]);
        ret->action = actions[i];
    }
    if (!json_is_object(meta) || json_object_size(line) != 1)
        return malformed(reader, "expected one of create, index, update, delete", reterr_problem);
    if (!copy_text(meta, "_index", arena, &ret->index) || !copy_text(meta, "_id", arena, &ret->id))
        return xt_error_origin(-ENOMEM);
    return 0;
}

/* The next line that is not empty. */
static bool next_line(xt_bulk_reader *reader, xt_slice *ret)
{
    while (xt_slice_cut(&reader->rest, '\n', ret)) {
        reader->line_number++;
        *ret = xt_slice_trim(*ret);
        if (ret->n > 0)
            return true;
    }
    return false;
}

int xt_bulk_next(xt_bulk_reader *reader, xt_arena *arena, xt_bulk_item *ret, xt_problem *reterr_problem)
{
    xt_slice line;
    if (!next_line(reader, &line))
        return XT_BULK_E_END;
    *ret = (xt_bulk_item){.line_number = reader->line_number};
    if (line.n > XT_BULK_MAX_ACTION)
        return malformed(reader, "it is too long", reterr_problem);
    json_t *action = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(action)) {
        json_decref(action);
        return malformed(reader, "it is no object", reterr_problem);
    }
    int r = read_action(reader, action, arena, ret, reterr_problem);
    json_decref(action);
    if (r)
        return r;
    if (strcmp(ret->action, "delete") == 0)
        return 0;
    if (!next_line(reader, &ret->document))
        return malformed(reader, "the document behind it is missing", reterr_problem);
    ret->line_number = reader->line_number;
    return 0;
}

/* One member, appended to out; XT_BULK_E_MALFORMED: what is wrong with it, in *reterr_why. */
static int inflate_member(z_stream *z, size_t max_bytes, xt_buf *out, const char **reterr_why)
{
    enum { PIECE = 256 << 10 };
    int e = Z_OK;
    while (e == Z_OK) {
        char *to = xt_buf_reserve(out, PIECE);
        if (!to)
            return xt_error_origin(-ENOMEM);
        z->next_out = (unsigned char *)to;
        z->avail_out = PIECE;
        e = inflate(z, Z_NO_FLUSH);
        out->n += PIECE - z->avail_out;
        if (out->n > max_bytes)
            return XT_BULK_E_END;
        if (e == Z_OK && z->avail_in == 0 && z->avail_out > 0)
            break;
    }
    *reterr_why = e == Z_OK || e == Z_BUF_ERROR ? "ends too early" : z->msg ? z->msg : "is no gzip";
    return e == Z_STREAM_END ? 0 : e == Z_MEM_ERROR ? xt_error_origin(-ENOMEM) : XT_BULK_E_MALFORMED;
}

int xt_bulk_gunzip(xt_slice packed, size_t max_bytes, xt_buf *out, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf copy = XT_BUF_INIT; /* zlib's input is not const */
    z_stream z = {.next_in = NULL};
    const char *why = "";
    size_t begin = 0; /* of the member at hand */
    xt_buf_put(&copy, packed);
    if (xt_buf_done(&copy) || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return xt_error_origin(-ENOMEM);
    z.next_in = (unsigned char *)copy.p;
    z.avail_in = (unsigned)copy.n;
    int r = inflate_member(&z, max_bytes, out, &why);
    while (r == 0 && z.avail_in > 0) {
        begin = copy.n - z.avail_in;
        r = inflateReset(&z) == Z_OK ? inflate_member(&z, max_bytes, out, &why) : xt_error_origin(-EINVAL);
    }
    if (r == XT_BULK_E_END)
        xt_problem_set(reterr_problem, "the body has too many bytes when it is unpacked");
    else if (r > 0)
        xt_problem_set(reterr_problem, "the body is no gzip: what begins at byte %zu %s: %s", begin,
                       begin ? "is neither its end nor another member" : "is no member", why);
    inflateEnd(&z);
    return r;
}
