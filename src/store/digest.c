/* Files are read in pieces, so that one of any size needs the same memory. */
#include "store/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define PIECE_BYTES ((size_t)256 << 10)

void xt_digest_format(const xt_digest *digest, char ret[static 65])
{
    xt_buf out = {.p = ret, .cap = 65, .max_bytes = 64};

    xt_buf_put_hex(&out, xt_slice_of(digest->b, sizeof digest->b));
    ret[64] = '\0';
}

bool xt_digest_parse(xt_slice text, xt_digest *ret)
{
    xt_digest digest;

    for (size_t i = 0; i < sizeof digest.b; i++) {
        uint64_t byte;
        if (text.n != 2 * sizeof digest.b || !xt_slice_parse_hex(xt_slice_of(text.p + 2 * i, 2), &byte))
            return false;
        digest.b[i] = (unsigned char)byte;
    }
    *ret = digest;
    return true;
}

int xt_digest_of(xt_slice bytes, xt_digest *ret)
{
    xt_digest digest;

    if (!EVP_Digest(bytes.n ? bytes.p : "", bytes.n, digest.b, NULL, EVP_sha256(), NULL))
        return xt_error_origin(-ENOMEM);
    *ret = digest;
    return 0;
}

static int file_digest(const xt_vfs *vfs, int fd, EVP_MD_CTX *sum, char *piece, xt_digest *ret, uint64_t *ret_bytes)
{
    uint64_t at = 0;
    ssize_t n;

    while ((n = vfs->pread(vfs, fd, piece, PIECE_BYTES, at)) > 0) {
        if (!EVP_DigestUpdate(sum, piece, (size_t)n))
            return xt_error_origin(-ENOMEM);
        at += (uint64_t)n;
    }
    if (n < 0)
        return xt_error_origin((int)n);
    *ret_bytes = at;
    return EVP_DigestFinal_ex(sum, ret->b, NULL) ? 0 : xt_error_origin(-ENOMEM);
}

int xt_digest_of_file(const xt_vfs *vfs, const char *path, xt_digest *ret, uint64_t *ret_bytes)
{
    xt_digest digest;
    uint64_t n_bytes = 0;
    int fd = vfs->open(vfs, path, O_RDONLY, 0);

    if (fd < 0)
        return xt_error_origin(fd);
    EVP_MD_CTX *sum = EVP_MD_CTX_new();
    char *piece = malloc(PIECE_BYTES);
    int r = sum && piece && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) ? 0 : xt_error_origin(-ENOMEM);
    if (r == 0)
        r = file_digest(vfs, fd, sum, piece, &digest, &n_bytes);
    if (r == 0) {
        *ret = digest;
        if (ret_bytes)
            *ret_bytes = n_bytes;
    }
    free(piece);
    EVP_MD_CTX_free(sum);
    vfs->close(vfs, fd);
    return r;
}
