#include "vulkan/quantised.h"

bool fv_vk_per_tensor(const FvKernelQuery *q, int scale) {
  const FvTensor *s = fv_query_input(q, scale), *zero = fv_query_input(q, scale + 1);
  if (!fv_vk_is_f32(s) || !s->data || !fv_vk_is_one(s)) return false;
  return !zero || (zero->data && fv_vk_is_one(zero));
}

bool fv_vk_bytes_aligned(const FvVkImage *i, int32_t at, int bytes) {
  if ((i->sc != 1 && i->c > 1) || at % bytes) return false;
  return (i->w <= 1 || i->sw % bytes == 0) && (i->h <= 1 || i->sh % bytes == 0) && (i->n <= 1 || i->sn % bytes == 0);
}

uint32_t fv_vk_bytes_lie(bool in_words, int64_t count) { return !in_words ? 0 : count % 4 ? 1 : 2; }

FvActivation fv_vk_activation_in_steps(FvActivation a, float scale) {
  if (a.type == FV_ACTIVATION_CLIP) return (FvActivation){a.type, a.alpha / scale, a.beta / scale};
  return a;
}
