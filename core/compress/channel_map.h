/* Which channels of a graph stand or fall together. Every output channel of a convolution begins as a channel of its own; following it through the graph, channels become one where
 * an operator ties them (Add, depthwise convolutions, shuffles), and fixed where an operator needs all of them or is not known to follow. */
#ifndef FOVEA_COMPRESS_CHANNEL_MAP_H
#define FOVEA_COMPRESS_CHANNEL_MAP_H

#include <stdbool.h>

#include "ir/graph.h"
#include "ir/op.h"

/* Of one value: which channel each index of one axis belongs to. */
typedef struct FvChannelMap {
  int axis; /* -1: carries none that may go */
  int64_t length;
  int *channel; /* length numbers, see fv_channel_root */
} FvChannelMap;

typedef struct FvChannels {
  FvGraph *graph;
  FvChannelMap *maps; /* by value->slot */
  int count, capacity;
  int *parent;
  const FvNode **fixed_by; /* NULL: may go. By root */
  bool *gone;              /* by root; the caller's to set */
} FvChannels;

/* Graph shapes must be known. Everything is in the graph's arena. */
int fv_channels_follow(FvChannels *channels, FvGraph *graph, FvError *err);
/* The one channel that stands for all those tied to it. */
int fv_channel_root(const FvChannels *channels, int channel);
static inline FvChannelMap *fv_channel_map(const FvChannels *channels, const FvValue *value) { return &channels->maps[value->slot]; }
static inline bool fv_channel_goes(const FvChannels *channels, const FvChannelMap *map, int64_t index) {
  return map->axis >= 0 && channels->gone[fv_channel_root(channels, map->channel[index])];
}
/* How many of the map's indices stay, of the first `until`. */
int64_t fv_channels_left(const FvChannels *channels, const FvChannelMap *map, int64_t until);
/* Removes what is gone: constants are cut, attributes rewritten, shapes inferred anew. */
int fv_channels_remove(const FvChannels *channels, FvError *err);

/* Each input channel of a depthwise convolution makes one output channel of its own. */
bool fv_is_depthwise(const FvNode *node);

#endif
