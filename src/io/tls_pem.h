/*
 * io/tls_pem - PEM texts to OpenSSL's objects
 *
 * Errors:    NULL when the text holds no such thing; OpenSSL's error queue is left clean.
 * Ownership: the caller frees with X509_free and EVP_PKEY_free.
 */
#pragma once
#include <openssl/x509.h>

#include "base/slice.h"

X509 *xt_tls_cert_read(xt_slice pem);
/* Never asks for a pass phrase: an encrypted key is NULL. */
EVP_PKEY *xt_tls_key_read(xt_slice pem);
