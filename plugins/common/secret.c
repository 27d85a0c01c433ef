#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

void fovea_secret_free(gchar *secret) {
  if (secret)
    explicit_bzero(secret, strlen(secret));
  g_free(secret);
}

/* Up to FOVEA_SECRET_MAX_BYTES and the byte behind them, so that a longer file is noticed; -1 with errno set. */
static gssize read_bounded(const gchar *path, gchar *into) {
  gint fd = g_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
  gssize size = 0, got = 1;
  while (fd >= 0 && got != 0 && size <= FOVEA_SECRET_MAX_BYTES) {
    got = read(fd, into + size, (gsize)(FOVEA_SECRET_MAX_BYTES + 1 - size));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      break;
    size += got;
  }
  gint number = errno;
  if (fd >= 0)
    close(fd);
  errno = number;
  return fd < 0 || got < 0 ? -1 : size;
}

static gchar *read_file(const gchar *path, GError **error) {
  gchar *text = g_malloc0(FOVEA_SECRET_MAX_BYTES + 2);
  gssize size = read_bounded(path, text);
  if (size < 0) {
    gint number = errno;
    g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(number), "secret file %s: %s", path, g_strerror(number));
  } else if (size > FOVEA_SECRET_MAX_BYTES) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "secret file %s is larger than %d bytes", path, FOVEA_SECRET_MAX_BYTES);
  } else if (strlen(text) != (gsize)size || !g_utf8_validate(text, size, NULL)) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "secret file %s is not text", path);
  } else {
    if (size > 0 && text[size - 1] == '\n')
      text[--size] = '\0';
    if (size > 0 && text[size - 1] == '\r')
      text[--size] = '\0';
    gchar *secret = g_strdup(text);
    explicit_bzero(text, FOVEA_SECRET_MAX_BYTES + 2);
    g_free(text);
    return secret;
  }
  explicit_bzero(text, FOVEA_SECRET_MAX_BYTES + 2);
  g_free(text);
  return NULL;
}

gchar *fovea_secret_read(const gchar *reference, GError **error) {
  if (g_str_has_prefix(reference, "file:") && reference[5] != '\0')
    return read_file(reference + 5, error);
  if (!g_str_has_prefix(reference, "env:") || reference[4] == '\0') {
    /* What stands there may be the secret itself, so it is not repeated. */
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "a secret is given as env:NAME or file:PATH");
    return NULL;
  }
  const gchar *value = g_getenv(reference + 4);
  if (value && strlen(value) <= FOVEA_SECRET_MAX_BYTES && g_utf8_validate(value, -1, NULL))
    return g_strdup(value);
  g_set_error(error, G_IO_ERROR, value ? G_IO_ERROR_INVALID_DATA : G_IO_ERROR_NOT_FOUND, "environment variable %s %s", reference + 4,
              value ? "is too long or not text" : "is not set");
  return NULL;
}

/* The '@' behind user and password, in front of the host; NULL: neither is there. */
static const gchar *find_at(const gchar *authority) {
  return g_strrstr_len(authority, (gssize)strcspn(authority, "/?# \t\n\"'"), "@");
}

gchar *fovea_secret_mask_uri(const gchar *text) {
  GString *masked = g_string_new(NULL);
  const gchar *authority;
  for (const gchar *at = text; (authority = strstr(at, "://")) != NULL; at = authority) {
    authority += 3;
    g_string_append_len(masked, at, authority - at);
    const gchar *sign = find_at(authority), *colon = sign ? memchr(authority, ':', (gsize)(sign - authority)) : NULL;
    if (colon) {
      g_string_append_len(masked, authority, colon + 1 - authority);
      g_string_append(masked, "***");
      authority = sign;
    }
    text = authority;
  }
  g_string_append(masked, text);
  return g_string_free(masked, FALSE);
}

static gchar *decode(const gchar *begin, const gchar *end) {
  gchar *plain = g_uri_unescape_segment(begin, end, NULL);
  return plain ? plain : g_strndup(begin, (gsize)(end - begin));
}

gchar *fovea_secret_split_uri(const gchar *uri, gchar **ret_user, gchar **ret_password) {
  const gchar *scheme = strstr(uri, "://"), *authority = scheme ? scheme + 3 : NULL, *sign = authority ? find_at(authority) : NULL;
  *ret_user = *ret_password = NULL;
  if (!sign)
    return g_strdup(uri);
  const gchar *colon = memchr(authority, ':', (gsize)(sign - authority));
  *ret_user = decode(authority, colon ? colon : sign);
  if (colon)
    *ret_password = decode(colon + 1, sign);
  return g_strdup_printf("%.*s%s", (gint)(authority - uri), uri, sign + 1);
}
