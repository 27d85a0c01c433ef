/* Looks a host's name up on a thread of its own, so that a name server that does not answer holds nobody up: libmosquitto looks names up where it is called. What it then asks
 * again was just answered. */
#ifndef FOVEA_PLUGINS_RESOLVE_H
#define FOVEA_PLUGINS_RESOLVE_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct FoveaResolve FoveaResolve;

/* Never fails. */
FoveaResolve *fovea_resolve_start(const gchar *host);
/* Readable when there is an answer. */
gint fovea_resolve_fd(const FoveaResolve *resolve);
/* TRUE: there is; *ret_problem is NULL for a good one, or static text that says what is wrong. */
gboolean fovea_resolve_done(FoveaResolve *resolve, const gchar **ret_problem);
/* Does not wait for the answer. Accepts NULL. */
void fovea_resolve_free(FoveaResolve *resolve);

G_END_DECLS
#endif
