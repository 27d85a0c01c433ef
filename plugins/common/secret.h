/* Secrets from where no log, command line or dump shows them. */
#ifndef FOVEA_PLUGINS_SECRET_H
#define FOVEA_PLUGINS_SECRET_H

#include <gio/gio.h>

G_BEGIN_DECLS

#define FOVEA_SECRET_MAX_BYTES 65536

/* reference is "env:NAME" or "file:PATH" (a relative path begins at the working directory; one line break at the end is left off). The text, UTF-8 without NUL, to
 * be freed with fovea_secret_free(); NULL with an error that names the reference, never what it holds. */
gchar *fovea_secret_read(const gchar *reference, GError **error);
/* Wipes the text first. Accepts NULL. */
void fovea_secret_free(gchar *secret);
/* Copy of a text in which "***" stands for the password of every URI in it ("scheme://user:password@…"). */
gchar *fovea_secret_mask_uri(const gchar *text);
/* Takes "user:password@" out of a URI; *ret_user and *ret_password, percent-decoded, are NULL where there is none. Free all three (the password with
 * fovea_secret_free()). */
gchar *fovea_secret_split_uri(const gchar *uri, gchar **ret_user, gchar **ret_password);

G_END_DECLS
#endif
