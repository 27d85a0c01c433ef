/* How long to wait before the next attempt: doubles with each failure between two limits, and a random part keeps many machines behind one switch from returning
 * together. Not thread-safe. */
#ifndef FOVEA_PLUGINS_BACKOFF_H
#define FOVEA_PLUGINS_BACKOFF_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct FoveaBackoff {
  guint min_ms, max_ms; /* of a wait before its random part is taken off; 0 < min_ms <= max_ms */
  guint failures;       /* in a row */
} FoveaBackoff;

/* Counts a failure; ms until the next attempt: between half and the whole of min_ms * 2^failures, at most max_ms. */
guint fovea_backoff_next(FoveaBackoff *backoff);
/* After success, or when there is reason to try at once. */
static inline void fovea_backoff_reset(FoveaBackoff *backoff) { backoff->failures = 0; }

G_END_DECLS
#endif
