/*
 * zstd's dictionary is raw content: what a document repeats of it is a reference. Both forms of it are made once; contexts are
 * made for each document, since an alert is rare beside events.
 */
#include "server/alert_document.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/error.h"

enum {
    LEVEL = 3,
    MAX_BYTES = 64 << 20,
};

/* Documents on disk need it as it is: a better one would be another format. */
/* clang-format off */
static const char dictionary[] =
    "{\"rule\":{\"id\":\"0c0f1a52-6f0e-4a6b-9b0d-2f9e9d3f6a01\",\"name\":\"Command of a service account without a"
    " login\",\"author\":\"Exectrail\",\"level\":\"medium\",\"description\":\"A service account ran a program, wi"
    "th no terminal and in no login session. Services do this all day; a person who got in through a service does"
    " it too, and then a shell or a network tool is what runs: those raise the level.\"},\"threat\":{\"framework"
    "\":\"MITRE ATT&CK\",\"technique\":{\"id\":[\"T1059.004\",\"T1505.003\"]}},\"@timestamp\":\"2026-11-23T00:00:"
    "00.000Z\",\"event\":{\"sequence\":26887,\"id\":\"\",\"action\":\"executed\",\"category\":[\"process\"],\"typ"
    "e\":[\"start\"],\"outcome\":\"success\",\"code\":\"SYSCALL\"},\"host\":{\"name\":\"\",\"id\":\"\",\"boot\":{"
    "\"id\":\"\"},\"group\":\"\"},\"user\":{\"id\":\"33\",\"name\":\"www-data\",\"effective\":{\"id\":\"33\",\"na"
    "me\":\"www-data\"},\"audit\":{\"id\":\"1000\",\"name\":\"root\"}},\"group\":{\"id\":\"33\",\"name\":\"www-da"
    "ta\"},\"auditd\":{\"session\":\"1\",\"data\":{\"tty\":\"(none)\",\"exit\":0,\"success\":\"yes\",\"arch\":\"x"
    "86_64\",\"syscall\":\"execve\",\"suid\":\"33\",\"fsuid\":\"33\",\"egid\":\"33\",\"sgid\":\"33\",\"fsgid\":\""
    "33\",\"items\":2,\"proctitle\":\"\"},\"key\":[\"exec\"],\"paths\":[{\"item\":0,\"name\":\"/usr/bin/dash\",\""
    "inode\":\"247291\",\"dev\":\"fe:00\",\"mode\":\"0100755\",\"ouid\":\"0\",\"ogid\":\"0\",\"rdev\":\"00:00\","
    "\"nametype\":\"NORMAL\"},{\"item\":1,\"name\":\"/lib64/ld-linux-x86-64.so.2\",\"inode\":\"325835\",\"dev\":"
    "\"fe:00\",\"mode\":\"0100755\",\"ouid\":\"0\",\"ogid\":\"0\",\"rdev\":\"00:00\",\"nametype\":\"NORMAL\"}]},"
    "\"process\":{\"pid\":19991,\"script\":\"\",\"parent\":{\"pid\":19956,\"entity_id\":\"\",\"executable\":\"/us"
    "r/bin/dash\",\"command_line\":\"/bin/sh -c \",\"name\":\"sh\"},\"entity_id\":\"\",\"executable\":\"/usr/bin/"
    "dash\",\"name\":\"sh\",\"args\":[\"/bin/sh\",\"-c\",\"\"],\"args_count\":3,\"command_line\":\"/bin/sh -c \","
    "\"working_directory\":\"/\"},\"file\":{\"path\":[\"/usr/bin/dash\",\"/lib64/ld-linux-x86-64.so.2\"]},\"conta"
    "iner\":{\"id\":\"\",\"image\":{\"name\":\"\"}},\"service\":{\"name\":\".service\"},\"source\":{\"ip\":\"\"},"
    "\"message\":\"\",\"exectrail\":{\"flags\":[\"escaped\"],\"noise\":\"\",\"redactions\":[]},\"tags\":[\"exec\""
    "]}";
/* clang-format on */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static ZSTD_CDict *packing;
static ZSTD_DDict *unpacking;

static void dictionaries_make(void)
{
    packing = ZSTD_createCDict(dictionary, sizeof dictionary - 1, LEVEL);
    unpacking = ZSTD_createDDict(dictionary, sizeof dictionary - 1);
}

static void compressor_free(ZSTD_CCtx **context)
{
    ZSTD_freeCCtx(*context);
}

static void decompressor_free(ZSTD_DCtx **context)
{
    ZSTD_freeDCtx(*context);
}

int xt_alert_document_pack(xt_slice document, xt_buf *out)
{
    size_t bound = ZSTD_compressBound(document.n);

    pthread_once(&once, dictionaries_make);
    XT_CLEANUP(compressor_free) ZSTD_CCtx *context = ZSTD_createCCtx();
    char *room = xt_buf_reserve(out, bound);
    if (!packing || !context || !room)
        return xt_error_origin(-ENOMEM);
    size_t n = ZSTD_compress_usingCDict(context, room, bound, document.p, document.n, packing);
    if (ZSTD_isError(n))
        return xt_error_origin(-ENOMEM);
    out->n += n;
    return 0;
}

int xt_alert_document_unpack(xt_slice stored, xt_buf *out)
{
    if (stored.n == 0 || stored.p[0] == '{') {
        xt_buf_put(out, stored);
        return xt_error_trace(xt_buf_done(out));
    }
    unsigned long long n = ZSTD_getFrameContentSize(stored.p, stored.n);
    if (n > MAX_BYTES) /* the values for unknown and for no frame among them */
        return xt_error_origin(-EIO);
    pthread_once(&once, dictionaries_make);
    XT_CLEANUP(decompressor_free) ZSTD_DCtx *context = ZSTD_createDCtx();
    char *room = xt_buf_reserve(out, (size_t)n);
    if (!unpacking || !context || !room)
        return xt_error_origin(-ENOMEM);
    if (ZSTD_decompress_usingDDict(context, room, (size_t)n, stored.p, stored.n, unpacking) != n)
        return xt_error_origin(-EIO);
    out->n += (size_t)n;
    return 0;
}
