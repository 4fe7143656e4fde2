"""The OpenAPI document: what the schemas of bodies and answers do not say by themselves."""
