#pragma once
// The one place that states the version of weir: CMake, meson and the inline namespace of everything
// (detail/core/config.hpp) take it from here.

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0
#define WEIR_VERSION "0.1.0"
