"""Other services' APIs over our use cases, so that their clients work by changing one URL: thin translations, never another number."""
