#include "backoff.h"

guint fovea_backoff_next(FoveaBackoff *backoff) {
  guint64 whole = (guint64)backoff->min_ms << MIN(backoff->failures, 31u);
  whole = MIN(whole, backoff->max_ms);
  if (backoff->failures < G_MAXUINT)
    backoff->failures++;
  return (guint)(whole / 2 + (guint64)(g_random_double() * (gdouble)(whole - whole / 2 + 1)));
}
