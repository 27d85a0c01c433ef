/* Amounts as people write them: "500ms", "12h", "512MiB", "1.5MB/s". The one place that knows the units. */
#ifndef FOVEA_RUNNER_QUANTITY_H
#define FOVEA_RUNNER_QUANTITY_H

#include <stdbool.h>

/* ms, s, min, h, d. A number alone counts `plain` (one of these words); NULL: only 0 may stand alone. */
bool fv_parse_duration(const char *text, const char *plain, double *ret_ms);
/* B, or kB MB GB TB (powers of 1000), or KiB MiB GiB TiB, for which K M G T may stand (powers of 1024). A number alone counts bytes. */
bool fv_parse_bytes(const char *text, double *ret_bytes);
/* The same with or without "/s" at the end. */
bool fv_parse_rate(const char *text, double *ret_bytes_per_s);

/* The shortest exact form, for messages; free with g_free(). */
char *fv_format_duration(double ms);
char *fv_format_bytes(double bytes);

#endif
