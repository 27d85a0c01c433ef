/* GOPs in a spool: one becomes as many records as it needs. A record of type FOVEA_GOP_RECORD:
 *   0 u8 version, 1   1 u8 zero   2 u16 index of this piece   4 u16 number of pieces   6 u16 zero   8 u64 key, the same in all pieces of a GOP   16 a piece of the form of gop.h
 * (little-endian). The pieces of a GOP stand one behind the other in a priority. */
#ifndef FOVEA_PLUGINS_GOPSPOOL_H
#define FOVEA_PLUGINS_GOPSPOOL_H

#include <fovea/spool.h>

#include "gop.h"

G_BEGIN_DECLS

#define FOVEA_GOP_RECORD 0x4756
#define FOVEA_GOP_PIECE_HEAD 16

/* Bytes a segment should have in a spool of max_bytes, and the largest record that then fits. */
gint64 fovea_gop_segment_bytes(gint64 max_bytes);
gsize fovea_gop_record_bytes(gint64 segment_bytes);

/* All pieces, or an error after which those that were written are of no use (and left out by the reader). */
int fovea_gop_spool(FvSpool *spool, const FoveaGop *gop, guint8 priority, gsize record_bytes, FvError *err);

typedef struct FoveaGopReader {
  FvSpoolReader *reader;
  GHashTable *out;   /* ids, as gint64: given and neither acknowledged nor taken back; passed over when the spool gives them again */
  guint64 damaged;   /* GOPs that could not be put together */
} FoveaGopReader;

/* The next GOP, oldest or newest as the reader was opened; *ret_ids, an array of guint64, is to be acknowledged with it. NULL: none now, or err is set. No other thread
 * may be amidst fovea_gop_spool(). */
FoveaGop *fovea_gop_unspool(FoveaGopReader *reader, GArray **ret_ids, FvError *err);
/* Sent for good. */
void fovea_gop_acknowledge(FoveaGopReader *reader, const GArray *ids);
/* Will be given again after the spool's reader is rewound. */
void fovea_gop_take_back(FoveaGopReader *reader, const GArray *ids);

G_END_DECLS
#endif
