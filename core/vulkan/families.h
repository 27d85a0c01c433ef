/* The families of kernels, in the order in which rows are tried: the more special first. A new file is one line here and one in meson.build. */
#define FV_VK_FAMILIES(F) \
  F(fv_vk_conv)
